"""Where recordings, results, peaks and edits are kept: a folder, or a bucket of S3-compatible storage."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

from common.errors import ConfigurationError
from common.settings import StorageSettings
from orchestrator.server.store.folder_files import FolderFiles
from orchestrator.server.store.s3_files import S3Files

VARIABLE = "STORAGE_URL"
KINDS = ("audio/", "results/", "peaks/", "edits/")
"""What all names begin with."""


class FileStore(Protocol):
    """Files by name, as `audio/<job id>-<8 hex>`; each is written once, whole, and never changed.

    All methods block and are thread-safe. They raise InvalidInputError for what is no name, GoneError for a file that
    is not there, StorageError where the storage does not do what it should.
    """

    @property
    def incoming(self) -> Path:
        """Return the local folder for uploads on their way, from which `put` moves them; the janitor sweeps it."""

    def put(self, path: Path, name: str) -> None:
        """Move a whole local file to the storage; it is there from one moment to the next."""

    def put_bytes(self, content: bytes, name: str) -> None:
        """Store bytes as a file."""

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading, from whatever position."""

    def local_path(self, name: str) -> AbstractContextManager[Path]:
        """Give a local file with that content as long as the context lasts; not to be changed."""

    def size(self, name: str) -> int:
        """Return the bytes of a file."""

    def delete(self, name: str) -> None:
        """Remove a file; one that is not there is fine."""

    def names(self, prefix: str, older_than_s: float = 0.0) -> Iterator[str]:
        """Yield the names that begin with `prefix`, a kind and a slash as `audio/`, of files that old at least."""


def open_files(storage_url: str, storage: StorageSettings, *, incoming: Path | None = None) -> FileStore:
    """Return the storage that STORAGE_URL names: a folder, or `s3://bucket/prefix` with the keys of `storage`.

    `incoming` is the local folder for uploads on their way to S3 (None: a new one among the system's temporary
    folders). Raises ConfigurationError for an address that is neither, or without keys.
    """
    if "://" not in storage_url:
        return FolderFiles(Path(storage_url).expanduser().absolute())
    parts = urlsplit(storage_url)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(f"{VARIABLE} is neither a folder nor s3://bucket/prefix", param=VARIABLE)
    if not (storage.access_key_id and storage.secret_access_key):
        raise ConfigurationError(f"{VARIABLE} on S3 needs S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY", param=VARIABLE)
    return S3Files(replace(storage, bucket=parts.netloc), prefix=parts.path.strip("/"), incoming=incoming)
