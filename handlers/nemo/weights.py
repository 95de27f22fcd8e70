"""Weights that `torch.save` wrote into a part of a file, as tensors that are mapped to that part of the file.

`torch.load` maps only whole files. The format is documented: a zip file without compression, in which `data.pkl` is a
pickle of the tensors' shapes and `data/` has their bytes
(https://docs.pytorch.org/docs/2.10/notes/serialization.html#serialized-file-format-for-torch-save).
"""

import io
import lzma
import os
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeGuard

from handlers.device import first_line

PICKLE = "/data.pkl"
# What a pickle calls a storage of values of a type of torch's; others are rare and read into memory.
STORAGES = {
    "BFloat16Storage": "bfloat16",
    "BoolStorage": "bool",
    "ByteStorage": "uint8",
    "CharStorage": "int8",
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "ShortStorage": "int16",
}
# What the readers of a zip file and of a pickle raise for bytes at random, some of which are lengths: 2^64 - 1 is one.
MALFORMED = (struct.error, TypeError, AttributeError, OverflowError, MemoryError, lzma.LZMAError)
UNREADABLE = (*MALFORMED, pickle.UnpicklingError, EOFError, LookupError, ValueError, ImportError)


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
    try:
        tensors = _mapped(weights) if zipfile.is_zipfile(weights.file) else None
    except UNREADABLE:
        tensors = None  # of another layout, or damaged, which torch tells
    return tensors if _are_tensors_by_name(tensors) else _load(weights.file)


def _are_tensors_by_name(value: object) -> TypeGuard[dict[str, Any]]:
    import torch  # noqa: PLC0415 - takes seconds

    return isinstance(value, dict) and all(isinstance(tensor, torch.Tensor) for tensor in value.values())


def _load(file: IO[bytes]) -> dict[str, Any]:
    import torch  # noqa: PLC0415 - takes seconds

    file.seek(0)
    try:
        tensors = torch.load(file, weights_only=True, map_location=torch.device("cpu"))
    except MALFORMED as error:
        raise ValueError(first_line(error)) from None
    if not _are_tensors_by_name(tensors):
        raise ValueError("the weights are not tensors by name")
    return tensors


def _mapped(weights: Weights) -> Any:  # noqa: ANN401 - whatever was stored
    """Return what was stored, its tensors mapped; raises one of UNREADABLE where that is not possible."""
    import torch  # noqa: PLC0415 - takes seconds

    with zipfile.ZipFile(weights.file) as archive:
        (root,) = (name.removesuffix(PICKLE) for name in archive.namelist() if name.endswith(PICKLE))
        order = archive.read(f"{root}/byteorder").decode() if f"{root}/byteorder" in archive.namelist() else "little"
        if order != sys.byteorder:
            raise ValueError(f"stored with {order} bytes first")
        stored = archive.read(f"{root}{PICKLE}")
        records = _records(weights.file, archive)
    size = weights.path.stat().st_size
    mapped = torch.UntypedStorage.from_file(str(weights.path), False, size)  # noqa: FBT003 - not shared
    places = {
        name.removeprefix(f"{root}/data/"): mapped[weights.offset + first : weights.offset + first + length]
        for name, (first, length) in records.items()
    }
    return _Unpickler(stored, places).load()


def _records(file: IO[bytes], archive: zipfile.ZipFile) -> dict[str, tuple[int, int]]:
    """Return first byte and length of all that a zip file holds uncompressed, by name."""
    records = {}
    for entry in archive.infolist():
        file.seek(entry.header_offset + 26)  # https://pkware.cachefly.net/webdocs/APPNOTE/APPNOTE-6.3.10.TXT, 4.3.7
        name_bytes, extra_bytes = struct.unpack("<HH", file.read(4))
        if entry.compress_type == zipfile.ZIP_STORED:
            records[entry.filename] = (entry.header_offset + 30 + name_bytes + extra_bytes, entry.file_size)
    return records


class _Unpickler(pickle.Unpickler):
    """Makes tensors by name of `places`, the storages of their bytes by number; knows nothing else."""

    def __init__(self, stored: bytes, places: Mapping[str, Any]) -> None:
        super().__init__(io.BytesIO(stored))
        self._places = places

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - pickle's
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _TensorMaker()
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _ValueTaker()
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no part of weights")

    def persistent_load(self, saved_id: tuple[str, str, str, str, int]) -> tuple[Any, str]:
        _, kind, number, _, _ = saved_id
        return self._places[number], kind


class _TensorMaker:
    """Called as `torch._utils._rebuild_tensor_v2`; unlike a function, it has nothing that a pickle could change."""

    __slots__ = ()

    def __call__(
        self, place: tuple[Any, str], first: int, shape: Sequence[int], stride: Sequence[int], *_: object
    ) -> Any:  # noqa: ANN401 - torch is not imported here
        import torch  # noqa: PLC0415 - takes seconds

        storage, kind = place
        if kind not in STORAGES.values():
            raise pickle.UnpicklingError("a storage of no type of torch's")
        return torch.empty(0, dtype=getattr(torch, kind)).set_(storage, first, shape, stride)


class _ValueTaker:
    """Called as `torch._utils._rebuild_parameter`; returns the tensor, as which the network takes it over."""

    __slots__ = ()

    def __call__(self, tensor: Any, *_: object) -> Any:  # noqa: ANN401 - torch is not imported here
        return tensor
