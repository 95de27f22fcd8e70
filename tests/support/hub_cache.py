"""Model caches on disk, laid out as huggingface_hub lays them out.

models--ORG--NAME/
  blobs/ETAG                     the files: sha256 of large ones (LFS), git's own hash of small ones
  refs/main                      the commit
  snapshots/COMMIT/PATH          a relative link to the blob
  trees/COMMIT.json              what the repository has
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

LFS_SUFFIXES = (".bin", ".npz")

Files = Mapping[str, bytes]


def commit_of(repo_id: str) -> str:
    return hashlib.sha1(repo_id.encode(), usedforsecurity=False).hexdigest()


def is_large(name: str) -> bool:
    return name.endswith(LFS_SUFFIXES)


def git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def etag(name: str, data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if is_large(name) else git_hash(data)


def lay_out(cache: Path, repo_id: str, files: Files) -> Path:
    """Put a model into a cache; returns its snapshot."""
    repo, commit = cache / f"models--{repo_id.replace('/', '--')}", commit_of(repo_id)
    for folder in ("blobs", "refs", "trees"):
        (repo / folder).mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    (repo / "trees" / f"{commit}.json").write_text(json.dumps(_tree(files), indent=1))
    snapshot = repo / "snapshots" / commit
    for name, data in files.items():
        blob, link = repo / "blobs" / etag(name, data), snapshot / name
        blob.write_bytes(data)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return snapshot


def _tree(files: Files) -> dict[str, object]:
    return {"format_version": 1, "files": {name: _entry(name, files[name]) for name in sorted(files)}}


def _entry(name: str, data: bytes) -> dict[str, object]:
    entry: dict[str, object] = {"size": len(data), "blob_id": git_hash(data)}
    return entry | ({"lfs_sha256": etag(name, data), "lfs_size": len(data)} if is_large(name) else {})


def listing(folder: Path) -> dict[str, str]:
    """Everything below a folder: links by where they point, files by their hash, folders."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
    return found
