"""Jobs for workers on several machines, in Redis: the queue's names, rules and formats, which are those of RQ 3.

Any RQ can look at them (`rq info`), and may even enqueue: `queue.enqueue(PERFORM, job_input)` with the JSON serializer.
"""

import base64
import hashlib
import json
import uuid
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from common.errors import ConfigurationError
from common.idempotency import content_digest
from common.setting_values import MAX_PORT, Variable

if TYPE_CHECKING:
    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis
    from redis.backoff import ExponentialBackoff

KINDS = ("diarization", "transcription")
PERFORM = "handlers.redis_worker.perform"  # what RQ takes for the function of a job
SUCCESSFUL, FAILED = 1, 2  # rq.results.Result.Type
ANSWER_TIMEOUT_S, CONNECT_TIMEOUT_S = 10.0, 5.0
CHANGES_WITH_EACH_TRY = ("audio", "request_id")  # a signed address has its time in it


def redis_url(text: str) -> str:
    """Read the address of a Redis server; what is wrong is said without the address, for it may have a password."""
    expected = "expected redis://[user:password@]host[:port][/number], rediss://… for TLS, or unix:///path"
    try:
        parts = urlsplit(text)
        is_server = bool(parts.hostname) and (parts.port is None or 0 < parts.port <= MAX_PORT)
    except ValueError:
        raise ValueError(expected) from None
    is_database = parts.path in {"", "/"} or parts.path[1:].isdigit()
    by_network = parts.scheme in {"redis", "rediss"} and is_server and is_database
    if not by_network and not (parts.scheme == "unix" and parts.path):
        raise ValueError(expected)
    return text


QUEUE_URL = Variable(
    "QUEUE_URL",
    "",
    "`redis://…`, `rediss://…` or `unix:///…`: jobs are given to `parley worker` processes through Redis",
    redis_url,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRules:
    """How long is waited for what, in seconds.

    A worker says every `beat_s` that it lives. One that did not for `lease_s` has lost its job, which another worker
    begins again; `max_attempts` workers may be lost by one job. `patience_s` is how long Redis may be away for those
    who wait for a job, `finishing_patience_s` for a worker that has a result. What ended is kept for `result_ttl_s`,
    or once it was read for `read_ttl_s`. A worker told to end has `grace_s` for its job, and one that is to stop a job
    `stuck_s` to leave it.
    """

    lease_s: float = 20.0
    beat_s: float = 5.0
    sweep_s: float = 5.0
    block_s: float = 1.0
    max_attempts: int = 2
    patience_s: float = 60.0
    finishing_patience_s: float = 600.0
    result_ttl_s: int = 3600
    read_ttl_s: int = 300
    grace_s: float = 600.0
    stuck_s: float = 120.0
    execution_timeout_s: float = 24 * 3600.0


RULES = QueueRules()


@dataclass(frozen=True, slots=True)
class QueueNames:
    """What the jobs of one kind are called in Redis."""

    kind: str

    @property
    def queue(self) -> str:
        """The name of the RQ queue."""
        return f"parley-{self.kind}"

    def keys(self, job_id: str = "") -> list[str]:
        """Return the KEYS of the scripts in `common.redis_scripts`."""
        lists = [f"rq:queue:{self.queue}", f"rq:queue:{self.queue}:intermediate"]
        registries = [f"rq:{registry}:{self.queue}" for registry in ("wip", "finished", "failed")]
        return [job_key(job_id), *lists, *registries, results_key(job_id)]

    @property
    def workers(self) -> str:
        """The key of the set of workers' keys."""
        return f"rq:workers:{self.queue}"

    def job_id(self, idempotency_key: str | None) -> str:
        """Return the id of a job: the same for each use of one key."""
        name = hashlib.sha256(idempotency_key.encode()).hexdigest()[:32] if idempotency_key else uuid.uuid4().hex
        return f"{self.kind}-{name}"


def job_key(job_id: str) -> str:
    """Return the key of the job's hash."""
    return f"rq:job:{job_id}"


def results_key(job_id: str) -> str:
    """Return the key of the stream with the job's result."""
    return f"rq:results:{job_id}"


def channel(job_id: str) -> str:
    """Return where it is published that there is news of the job; what news is in its hash."""
    return f"parley:job:{job_id}"


def iso_now() -> str:
    """Return the time as RQ writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def job_fields(kind: str, job_input: dict[str, Any], *, timeout_s: float) -> dict[str, str | bytes]:
    """Return the hash of a new job as RQ's `Job.to_dict` has it, and `timeout_s` beside RQ's whole seconds."""
    called_at = iso_now()
    return {
        "created_at": called_at,
        "enqueued_at": called_at,
        "data": zlib.compress(json.dumps([PERFORM, None, [job_input], {}]).encode()),
        "origin": QueueNames(kind).queue,
        "description": kind,  # RQ's own would be the call with its arguments, the audio's URL among them
        "timeout": str(int(timeout_s) + 1),
        "timeout_s": f"{timeout_s:.3f}",
    }


def called_with(data: bytes) -> object:
    """Return the input of a job from its `data`; raises ValueError for anything but a call of PERFORM."""
    try:
        text = zlib.decompress(data)
    except zlib.error:
        text = data  # as RQ itself may read it
    try:
        function, _, arguments, _ = json.loads(text)
    except (ValueError, TypeError):
        raise ValueError("the job is not written with RQ's JSON serializer") from None
    if function != PERFORM or not isinstance(arguments, list) or len(arguments) != 1:
        raise ValueError(f"the job does not call {PERFORM} with one argument")
    return arguments[0]


def fingerprint(job_input: dict[str, Any]) -> str:
    """Return what is the same for one request, however often it is made."""
    return content_digest({name: value for name, value in job_input.items() if name not in CHANGES_WITH_EACH_TRY})


def success_fields(output: dict[str, Any], *, worker: str) -> list[str]:
    """Return the entry of a result as `rq.results.Result.serialize` has it, names and values in turns."""
    value = base64.b64encode(json.dumps(output).encode()).decode()
    return ["type", str(SUCCESSFUL), "worker_name", worker, "return_value", value]


def failure_fields(error: str, *, worker: str) -> list[str]:
    """Return the entry of a failure; `error` is an envelope as JSON."""
    text = base64.b64encode(zlib.compress(error.encode())).decode()
    return ["type", str(FAILED), "worker_name", worker, "exc_string", text]


def read_result(entry: Mapping[bytes, bytes]) -> tuple[object, str | None]:
    """Return the output and the error of an entry, of which one is None."""
    if entry.get(b"type") == str(SUCCESSFUL).encode():
        value = entry.get(b"return_value")
        return (None if value is None else json.loads(base64.b64decode(value))), None
    text = entry.get(b"exc_string")
    return None, zlib.decompress(base64.b64decode(text)).decode() if text else ""


def worker_lost() -> str:
    """Return the error of a job that no worker ended, as workers send theirs."""
    message = "every worker that ran this job ended or fell silent while it did; their logs have the cause"
    return json.dumps({"code": "worker_lost", "message": message, "param": None, "retryable": True})


def sweep_arguments(job_id: str, rules: QueueRules) -> list[str | float]:
    """Return the ARGV of the script SWEEP; `job_id` is one that is waited for, or empty."""
    failure = failure_fields(worker_lost(), worker="")
    return [job_id, iso_now(), rules.lease_s, rules.max_attempts, rules.result_ttl_s, *failure]


def connect(url: str) -> "Redis":
    """Return a client that connects when it is first used; any number of threads may share it.

    Raises ConfigurationError for a URL whose options are none of a connection's, or without the package `redis`.
    """
    with _as_configuration_errors():
        from redis import Redis  # noqa: PLC0415 - only those who have a queue have the package
        from redis.retry import Retry  # noqa: PLC0415

        client = Redis.from_url(redis_url(url), retry=Retry(_backoff(), 2), **_options())
        _check(client)
        return client


def connect_async(url: str) -> "AsyncRedis":
    """Return an asyncio client that connects when it is first used; as `connect`."""
    with _as_configuration_errors():
        from redis.asyncio import Redis as AsyncRedis  # noqa: PLC0415
        from redis.asyncio.retry import Retry  # noqa: PLC0415

        client = AsyncRedis.from_url(redis_url(url), retry=Retry(_backoff(), 2), **_options())
        _check(client)
        return client


def refuses(error: BaseException | None) -> bool:
    """Tell whether Redis does not let this user in, for then waiting is no use."""
    from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError  # noqa: PLC0415 - as above

    while error is not None:  # on a socket of this machine the client hides it as the cause of another
        if isinstance(error, (AuthenticationError, AuthorizationError, NoPermissionError)):
            return True
        error = error.__cause__
    return False


def _backoff() -> "ExponentialBackoff":
    from redis.backoff import ExponentialBackoff  # noqa: PLC0415

    return ExponentialBackoff(cap=0.5, base=0.05)  # outages are waited for by those who know for how long


def _options() -> dict[str, Any]:
    return {
        "socket_timeout": ANSWER_TIMEOUT_S,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "health_check_interval": 15,
        "max_connections": 1000,  # each job that is waited for listens on one
        "protocol": 2,
    }


def _check(client: "Redis | AsyncRedis") -> None:
    """Make a connection, which connects to nothing yet: only it finds out what options of the URL it does not know."""
    pool = client.connection_pool
    pool.connection_class(**pool.connection_kwargs)


@contextmanager
def _as_configuration_errors() -> Iterator[None]:
    try:
        from redis.exceptions import RedisError  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            "a queue needs the packages `rq` and `redis`: pip install 'parley[queue]'", param=QUEUE_URL.name
        ) from None
    try:
        yield
    except (ValueError, TypeError, RedisError):
        raise ConfigurationError(
            "QUEUE_URL is not valid: expected redis://[user:password@]host[:port][/number], rediss://… for TLS, or "
            "unix:///path",
            param=QUEUE_URL.name,
        ) from None
