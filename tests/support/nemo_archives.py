"""Taking NeMo checkpoints apart and putting them together again, whole or broken."""

import io
import tarfile
import zipfile
from pathlib import Path

import torch

WEIGHTS = "model_weights.ckpt"


def unpack(checkpoint: Path, folder: Path) -> Path:
    with tarfile.open(checkpoint) as archive:
        archive.extractall(folder, filter="data")
    return folder


def pack(folder: Path, path: Path, *, mode: str = "w:", weights: bytes | None = None, leave_out: str = "") -> Path:
    """Pack the checkpoint in the folder, with other weights if given; the weights come first, other than NeMo's."""
    data = (folder / WEIGHTS).read_bytes() if weights is None else weights
    with tarfile.open(path, mode) as archive:
        if leave_out != WEIGHTS:
            member = tarfile.TarInfo(WEIGHTS)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for other in sorted(folder.iterdir()):
            if other.name not in {WEIGHTS, leave_out}:
                archive.add(other, f"./{other.name}")
    return path


def saved(value: object, **options: bool) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def with_pickle(data: bytes, stored: bytes) -> bytes:
    """Return what `torch.save` wrote with another pickle in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(file, "w") as changed:
        for name in archive.namelist():
            changed.writestr(name, stored if name.endswith("/data.pkl") else archive.read(name))
    return file.getvalue()
