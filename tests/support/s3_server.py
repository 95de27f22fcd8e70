"""S3's protocol on loopback, spoken by moto."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from common.object_store import ObjectStore
from common.settings import StorageSettings

BUCKET = "recordings"


@dataclass(frozen=True, slots=True)
class S3Server:
    """A store with one bucket, and boto3's own client to look into it."""

    settings: StorageSettings
    client: Any

    def stored(self) -> list[str]:
        return [found["Key"] for found in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def unfinished_uploads(self) -> list[str]:
        return [found["Key"] for found in self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]


def storage_settings(url: str, **changed: str) -> StorageSettings:
    keys = {"access_key_id": "key-id", "secret_access_key": "secret"}
    return StorageSettings(**{"endpoint_url": url, "bucket": BUCKET, **keys, **changed})


@contextmanager
def s3_server() -> Iterator[S3Server]:
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - takes two seconds

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        settings = storage_settings(f"http://{host}:{port}")
        client = ObjectStore(settings)._client()
        client.create_bucket(Bucket=BUCKET)
        yield S3Server(settings, client)
        for made in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            client.delete_object(Bucket=BUCKET, Key=made["Key"])
        client.delete_bucket(Bucket=BUCKET)  # moto's buckets are those of the process
        client.close()
    finally:
        server.stop()
