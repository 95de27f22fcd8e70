"""Weights that `torch.save` wrote into a part of a file, as tensors that are mapped to that part of the file.

`torch.load` maps only whole files. Here it reads the tensors' shapes and places, and the bytes are mapped from there.
"""

import os
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Stored weights, open for reading: what `torch.save` wrote, from byte `offset` of the file at `path` on."""

    file: IO[bytes]
    path: Path
    offset: int


def read_ahead(path: Path) -> None:
    """Let the disk begin to read a file; through a mapping it would read page by page, as they are used."""
    if hasattr(os, "posix_fadvise"):  # not on macOS
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


def read_state_dict(weights: Weights) -> dict[str, Any]:
    """Return the stored tensors by name: mapped, or in memory where the file is not laid out for that.

    A mapping is private: the file need not be writable, and what is written to a tensor stays in this process.
    Raises what torch and zipfile raise for damaged files, ValueError if there are no tensors by name.
    """
    import torch  # noqa: PLC0415 - takes seconds
    from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: PLC0415 - takes seconds

    records = _records(weights.file)
    if records:
        with FakeTensorMode():  # https://docs.pytorch.org/docs/2.10/notes/serialization.html#layout-control
            tensors = _load(weights.file)
        if all(_place(tensor) in records for tensor in tensors.values()):
            return _map(tensors, records, weights)
    return _load(weights.file, map_location=torch.device("cpu"))


def _records(file: IO[bytes]) -> dict[int, int]:
    """Return first byte and length of all that a zip file holds uncompressed; nothing for other files."""
    if not zipfile.is_zipfile(file):
        return {}
    records = {}
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            file.seek(entry.header_offset + 26)  # https://pkware.cachefly.net/webdocs/APPNOTE/APPNOTE-6.3.10.TXT, 4.3.7
            name_bytes, extra_bytes = struct.unpack("<HH", file.read(4))
            if entry.compress_type == zipfile.ZIP_STORED:
                records[entry.header_offset + 30 + name_bytes + extra_bytes] = entry.file_size
    return records


def _load(file: IO[bytes], **options: object) -> dict[str, Any]:
    import torch  # noqa: PLC0415 - takes seconds

    file.seek(0)
    tensors = torch.load(file, weights_only=True, **options)
    if not isinstance(tensors, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in tensors.values()):
        raise ValueError("the weights are not tensors by name")
    return tensors


def _place(tensor: Any) -> int:  # noqa: ANN401 - torch has no types here
    """Return where the data begin of a tensor that was loaded without them."""
    return int(tensor.untyped_storage()._checkpoint_offset)  # noqa: SLF001 - documented, see read_state_dict


def _map(tensors: dict[str, Any], records: dict[int, int], weights: Weights) -> dict[str, Any]:
    """Replace tensors without data by mapped ones; in the same dictionary, whose attributes load_state_dict reads."""
    import torch  # noqa: PLC0415 - takes seconds

    size = weights.path.stat().st_size
    mapped = torch.UntypedStorage.from_file(str(weights.path), False, size)  # noqa: FBT003 - not shared
    for name, tensor in tensors.items():
        first = weights.offset + _place(tensor)
        storage = mapped[first : first + records[_place(tensor)]]
        layout = (tensor.storage_offset(), tensor.shape, tensor.stride())
        tensors[name] = torch.empty(0, dtype=tensor.dtype).set_(storage, *layout)
    return tensors
