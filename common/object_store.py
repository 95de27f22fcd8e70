"""S3-compatible storage: put under a key nobody can guess or a given one, sign a URL, read, list, delete."""

import io
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from common.errors import ConfigurationError, ParleyError, StorageError
from common.settings import StorageSettings

PREFIX = "parley/"  # by which a bucket's own rules can delete what a killed process left
KEY_BYTES = 24
LONGEST_SIGNED_S = 7 * 24 * 3600  # of a signature of version 4
CONNECT_TIMEOUT_S, READ_TIMEOUT_S, ATTEMPTS = 5.0, 15.0, 2  # a storage that hangs holds its thread for that long
BRIEF_TIMEOUTS_S = (2.0, 3.0)
PART_BYTES, PARTS_AT_ONCE = 8 * 1024 * 1024, 4
FETCH_BYTES = 1024 * 1024
FIX_SETTINGS = "check S3_ENDPOINT_URL, S3_BUCKET, S3_REGION and the two keys"

# boto3's own configuration, which other programs of this user have for other stores, is left aside.
NO_FILES = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None)) | {
    "profile": (None, None, None, None)
}

OnBytes = Callable[[int], None]


class ObjectStore:
    """One bucket; its methods block and may be called from several threads.

    All raise ConfigurationError for what the storage refuses, StorageError for whatever may work another time.
    """

    def __init__(
        self,
        settings: StorageSettings,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self._timeouts_s = (connect_timeout_s, read_timeout_s)
        self._made: Any = None
        self._making = threading.Lock()

    def put_file(self, path: Path, *, key: str | None = None, on_bytes: OnBytes | None = None) -> str:
        """Store a file and return its key, None: a new one that nobody can guess; big files in several parts at once.

        `on_bytes` is told how many bytes more are on their way; what it raises ends the upload and is raised here.
        """
        with path.open("rb") as file:
            return self._put(file, key=key, content_type="application/octet-stream", on_bytes=on_bytes)

    def put_bytes(
        self,
        content: bytes,
        *,
        key: str | None = None,
        content_type: str = "application/octet-stream",
        on_bytes: OnBytes | None = None,
    ) -> str:
        """Store bytes and return their key; see `put_file`."""
        return self._put(io.BytesIO(content), key=key, content_type=content_type, on_bytes=on_bytes)

    def fetch(self, key: str, path: Path) -> bool:
        """Write an object's content to a local file; False where there is no such object."""
        with self._read(key) as body, path.open("wb") as file:
            if body is not None:
                shutil.copyfileobj(body, file, FETCH_BYTES)
        return body is not None

    def part(self, key: str, *, first: int, last: int) -> bytes | None:
        """Return the bytes `first` to `last` (inclusive, from 0) of an object, None where there is no such object."""
        with self._read(key, Range=f"bytes={first}-{last}") as body:
            return None if body is None else bytes(body.read())

    def size(self, key: str) -> int | None:
        """Return the bytes of an object, None where there is no such object."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - slow

        with _as_parley_errors():
            try:
                return int(self._client().head_object(Bucket=self._settings.bucket, Key=key)["ContentLength"])
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "404":
                    raise
                return None

    def keys(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Yield the keys that begin with `prefix`, each with when it was written, in seconds since 1970."""
        with _as_parley_errors():
            pages = self._client().get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._settings.bucket, Prefix=prefix):
                for found in page.get("Contents", ()):
                    yield found["Key"], found["LastModified"].timestamp()

    def presigned_url(self, key: str, *, expires_s: float) -> str:
        """Return a URL at which anybody can read the object for `expires_s` seconds, at most seven days."""
        with _as_parley_errors():
            url = self._client().generate_presigned_url(
                "get_object",
                Params={"Bucket": self._settings.bucket, "Key": key},
                ExpiresIn=max(1, round(min(expires_s, LONGEST_SIGNED_S))),
            )
        return str(url)

    def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no error."""
        with _as_parley_errors():
            self._client().delete_object(Bucket=self._settings.bucket, Key=key)

    @contextmanager
    def _read(self, key: str, **wanted: str) -> Iterator[Any]:
        """Give the stream of an object's content, None where there is no such object."""
        with _as_parley_errors():
            client = self._client()
            try:
                body = client.get_object(Bucket=self._settings.bucket, Key=key, **wanted)["Body"]
            except client.exceptions.NoSuchKey:
                yield None
                return
            with closing(body):
                yield body

    def _put(self, file: BinaryIO, *, key: str | None, content_type: str, on_bytes: OnBytes | None) -> str:
        key = key or f"{PREFIX}{secrets.token_urlsafe(KEY_BYTES)}"
        try:
            with _as_parley_errors():
                self._client().upload_fileobj(
                    file,
                    self._settings.bucket,
                    key,
                    ExtraArgs={"ContentType": content_type},
                    Callback=on_bytes,
                    Config=_in_parts(),
                )
        except BaseException:
            with suppress(ParleyError):  # the answer may be lost and the object there
                self._clean_up(key)
            raise
        return key

    def _clean_up(self, key: str) -> None:
        """Delete what a failed upload may have left, without waiting long for a storage that may be the cause."""
        with _as_parley_errors():
            brief = _client(self._settings, *map(min, self._timeouts_s, BRIEF_TIMEOUTS_S), attempts=1)
            brief.delete_object(Bucket=self._settings.bucket, Key=key)

    def _client(self) -> Any:  # noqa: ANN401 - boto3 has no types
        with self._making:
            if self._made is None:
                self._made = _client(self._settings, *self._timeouts_s)
            return self._made


def configured_store(settings: StorageSettings) -> ObjectStore | None:
    """Return the storage that the settings name, None if there is none."""
    return ObjectStore(settings) if settings.bucket else None


def _client(
    settings: StorageSettings, connect_timeout_s: float, read_timeout_s: float, *, attempts: int | None = None
) -> Any:  # noqa: ANN401 - boto3 has no types
    import boto3.session  # noqa: PLC0415 - slow, and most processes store nothing
    import botocore.session  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    config = Config(
        signature_version="s3v4",
        s3={
            "addressing_style": "path" if settings.endpoint_url else "virtual"
        },  # few other stores have a host per bucket
        connect_timeout=connect_timeout_s,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": attempts or ATTEMPTS},
        request_checksum_calculation="when_required",  # many other stores do not know Amazon's newer ones
        response_checksum_validation="when_required",
        ignore_configured_endpoint_urls=True,
    )
    try:
        return boto3.session.Session(
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key,
            region_name=settings.region,
            botocore_session=botocore.session.Session(session_vars=NO_FILES),
        ).client("s3", endpoint_url=settings.endpoint_url or None, config=config)
    except (BotoCoreError, ValueError):
        raise _unusable() from None


def _in_parts() -> Any:  # noqa: ANN401 - boto3 has no types
    from boto3.s3.transfer import TransferConfig  # noqa: PLC0415 - slow

    return TransferConfig(
        multipart_threshold=2 * PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=PARTS_AT_ONCE
    )


@contextmanager
def _as_parley_errors() -> Iterator[None]:
    """Turn boto3's errors into Parley's, without the host names, keys and URLs that are in them."""
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError  # noqa: PLC0415 - slow

    try:
        yield
    except ClientError as error:
        raise _refusal(error.response) from None
    except (ParamValidationError, ValueError):
        raise _unusable() from None
    except BotoCoreError:
        raise StorageError("the storage cannot be reached or is too slow; check S3_ENDPOINT_URL or try again") from None


def _unusable() -> ConfigurationError:
    return ConfigurationError(f"the storage cannot be used as it is set up; {FIX_SETTINGS}")


def _refusal(response: dict[str, Any]) -> ParleyError:
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    if not 300 <= status < 500 or status in {408, 429}:
        return StorageError(f"the storage answered {status}; try again later")
    return ConfigurationError(f"the storage refused with {status}; {FIX_SETTINGS}")
