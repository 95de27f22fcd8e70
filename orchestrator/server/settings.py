"""The settings of the web server, each an environment variable, read once in `main()` into one frozen object."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from common.errors import ConfigurationError
from common.redis_queue import QUEUE_URL
from common.setting_values import (
    Variable,
    at_least,
    base_url,
    flag,
    not_negative_int,
    port_number,
    positive,
    positive_int,
)


def _networks(text: str) -> str:
    """Read addresses and networks with commas between."""
    return ",".join(str(ip_network(part.strip())) for part in text.split(",") if part.strip())


SERVER_HOST = Variable(
    "SERVER_HOST", "127.0.0.1", "address the web server listens on; any but loopback asks for an API key", str
)
SERVER_PORT = Variable("SERVER_PORT", 8080, "port of the web server", port_number)
SERVER_URL = Variable(
    "SERVER_URL",
    "",
    "where workers on other machines reach the web server, from which they get the audio; empty: loopback",
    base_url,
)
DATA_FOLDER = Variable(
    "DATA_FOLDER", "~/.local/share/parley", "folder of the web server's database, recordings, results and logs", str
)
DATABASE_URL = Variable(
    "DATABASE_URL", "", "SQLAlchemy URL of the jobs' database, e.g. `postgresql+psycopg://…`; empty: SQLite there", str
)
STORAGE_URL = Variable(
    "STORAGE_URL",
    "",
    "where recordings and results are kept: a folder, or `s3://bucket/prefix` with the S3_* keys; empty: there",
    str,
)
JOBS_AT_ONCE = Variable(
    "SERVER_JOBS_AT_ONCE",
    0,
    "jobs that run at a time; 0: one for each pair of own workers that is up, ORCHESTRATOR_CONCURRENCY on RunPod",
    not_negative_int,
)
MAX_QUEUED = Variable("MAX_QUEUED_JOBS", 200, "jobs that may wait; more are answered 429", positive_int)
MAX_QUEUED_PER_KEY = Variable("MAX_QUEUED_JOBS_PER_KEY", 50, "jobs of one API key that may wait", positive_int)
JOB_ATTEMPTS = Variable("JOB_ATTEMPTS", 3, "how often a job is begun that loses its worker or server", positive_int)
JOB_LEASE = Variable(
    "JOB_LEASE_SECONDS", 15.0, "after how many seconds of a server's silence another takes its jobs", at_least(1.0)
)
RETENTION = Variable("RETENTION_HOURS", 720.0, "hours after which an ended job is erased", positive)
KEEP_AUDIO = Variable(
    "KEEP_AUDIO",
    True,  # noqa: FBT003 - a default value, named by its place
    "keep a job's recording as long as its result, for playing and for finding speakers anew; 0: erase it at once",
    flag,
)
RATE_LIMIT = Variable("RATE_LIMIT", "3000/minute", "requests of one API key, or of one address without keys", str)
UPLOAD_RATE_LIMIT = Variable("UPLOAD_RATE_LIMIT", "60/minute", "new jobs of one API key, or of one address", str)
CORS_ORIGINS = Variable("CORS_ORIGINS", "", "origins whose pages may call the server, with commas between", str)
TRUSTED_PROXIES = Variable(
    "TRUSTED_PROXIES",
    "",
    "addresses or networks, with commas between, of proxies whose X-Forwarded-For and X-Forwarded-Proto count; with "
    "one, an API key is asked for",
    _networks,
)
LOG_FILE = Variable("LOG_FILE", "", "the web server's rotating log file; empty: `logs/server.log` there", str)

VARIABLES: tuple[Variable[Any], ...] = tuple(value for value in globals().values() if isinstance(value, Variable))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where the web server listens, what it keeps and for how long, how much it takes."""

    host: str = SERVER_HOST.default
    port: int = SERVER_PORT.default
    url: str = ""
    data_folder: Path
    database_url: str = field(default="", repr=False)
    storage_url: str = ""
    queue_url: str = field(default="", repr=False)
    jobs_at_once: int = JOBS_AT_ONCE.default
    max_queued: int = MAX_QUEUED.default
    max_queued_per_key: int = MAX_QUEUED_PER_KEY.default
    job_attempts: int = JOB_ATTEMPTS.default
    job_lease_s: float = JOB_LEASE.default
    retention_s: float = RETENTION.default * 3600
    keep_audio: bool = KEEP_AUDIO.default
    rate_limit: str = RATE_LIMIT.default
    upload_rate_limit: str = UPLOAD_RATE_LIMIT.default
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    log_file: Path | None = None

    @property
    def on_loopback(self) -> bool:
        """Tell whether the server listens to this machine alone."""
        try:
            return self.host == "localhost" or ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def reached_by_others(self) -> bool:
        """Tell whether other machines reach the server, be it through a proxy on this one, and a key is asked for."""
        return bool(self.trusted_proxies) or not self.on_loopback


def load_server_settings(env: Mapping[str, str]) -> ServerSettings:
    """Read the web server's settings from `env`; raises ConfigurationError naming the variable that is wrong."""

    def read(variable: Variable[Any]) -> Any:  # noqa: ANN401 - of whatever type the variable is
        return variable.read(env, laptop=False)

    folder = Path(read(DATA_FOLDER)).expanduser().absolute()
    database_url = read(DATABASE_URL) or f"sqlite:///{folder / 'jobs.sqlite3'}"
    if database_url.partition(":")[0] not in {"sqlite", "postgresql+psycopg", "postgresql", "postgres"}:
        raise ConfigurationError(
            "DATABASE_URL is neither sqlite:///… nor postgresql+psycopg://…", param=DATABASE_URL.name
        )
    for scheme in ("postgres://", "postgresql://"):  # as hosting companies write it
        if database_url.startswith(scheme):
            database_url = "postgresql+psycopg://" + database_url.removeprefix(scheme)
    return ServerSettings(
        host=read(SERVER_HOST),
        port=read(SERVER_PORT),
        url=read(SERVER_URL),
        data_folder=folder,
        database_url=database_url,
        storage_url=read(STORAGE_URL) or str(folder / "files"),
        queue_url=read(QUEUE_URL),
        jobs_at_once=read(JOBS_AT_ONCE),
        max_queued=read(MAX_QUEUED),
        max_queued_per_key=read(MAX_QUEUED_PER_KEY),
        job_attempts=read(JOB_ATTEMPTS),
        job_lease_s=read(JOB_LEASE),
        retention_s=read(RETENTION) * 3600,
        keep_audio=read(KEEP_AUDIO),
        rate_limit=read(RATE_LIMIT),
        upload_rate_limit=read(UPLOAD_RATE_LIMIT),
        cors_origins=tuple(origin.strip() for origin in read(CORS_ORIGINS).split(",") if origin.strip()),
        trusted_proxies=tuple(filter(None, read(TRUSTED_PROXIES).split(","))),
        log_file=Path(read(LOG_FILE) or folder / "logs" / "server.log"),
    )
