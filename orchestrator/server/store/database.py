"""The jobs' database, SQLite or PostgreSQL: opening it, its transactions, bringing it to this version's tables."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from common.errors import ConfigurationError, StorageError

VARIABLE = "DATABASE_URL"
MIGRATIONS = Path(__file__).parent / "migrations"
FIX = "check that it runs, and user, password, host, port and database name (SQLite: the file)"
BUSY_S = 30  # for so long a transaction waits for the one before it
BUSY_LOOK_S = 0.01  # between two looks, where it has to look for itself
CONNECT_S = 10
CONNECTIONS, MORE_CONNECTIONS = 5, 40  # the routes' threads are 40
ALONE = 0x7061726C6579  # of all advisory locks in a PostgreSQL database, Parley's: "parley"
RevisionState = Literal["current", "older", "none"]
# A server that is cut off in the middle of a transaction must not hold its locks for the hours TCP waits.
POSTGRES = {
    "connect_timeout": CONNECT_S,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "options": f"-c lock_timeout={BUSY_S}s -c statement_timeout={2 * BUSY_S}s"
    f" -c idle_in_transaction_session_timeout={BUSY_S}s -c timezone=UTC",
}


def open_database(url: str) -> Engine:
    """Return the engine of the database that an SQLAlchemy URL names, `sqlite:///…` or `postgresql+psycopg://…`.

    Nothing is connected yet; the folder of an SQLite file is made. Raises ConfigurationError for a URL that cannot be.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _open_sqlite(parsed)
        return create_engine(
            parsed,
            connect_args=POSTGRES,
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            **_common(),
        )
    except (ArgumentError, ValueError, ImportError, SQLAlchemyError):
        raise ConfigurationError(f"{VARIABLE} is no URL of a database that can be used", param=VARIABLE) from None
    except OSError as error:
        raise ConfigurationError(
            f"the file that {VARIABLE} names cannot be made: {error.strerror}", param=VARIABLE
        ) from None


def open_existing(url: str) -> Engine | None:
    """As `open_database`, to look and change nothing: None where there is no SQLite file yet."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return open_database(url)  # which says what is wrong
    if parsed.get_backend_name() != "sqlite" or parsed.database in {None, "", ":memory:"}:
        return open_database(url)
    path = Path(str(parsed.database))
    if not os.path.exists(path) or path.stat().st_size == 0:  # noqa: PTH110 - Path.exists raises where it may not look
        return None
    return create_engine(parsed, connect_args={"timeout": BUSY_S}, **_common())  # without its file's settings


def _common() -> dict[str, Any]:
    return {
        "pool_size": CONNECTIONS,
        "max_overflow": MORE_CONNECTIONS,
        "pool_timeout": BUSY_S,
        "hide_parameters": True,  # addresses and names of recordings stay out of logs
    }


def _open_sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(f"{VARIABLE} names no file; sqlite:///jobs.sqlite3 does", param=VARIABLE)
    path = Path(url.database)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # nobody else on the machine reads the names of recordings
    engine = create_engine(url, connect_args={"timeout": BUSY_S}, **_common())
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - whatever driver it is
    """Set what SQLite keeps for a connection, not for the file.

    FULL: a job that was accepted is on the disk, also after a power failure; with a write-ahead log, readers and a
    writer do not wait for each other.
    """
    connection.isolation_level = None  # Python's own idea of when a transaction begins would begin it too late
    _write_ahead(connection)
    for setting in ("synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}")


def _write_ahead(connection: Any) -> None:  # noqa: ANN401 - whatever driver it is
    """Make the file's log a write-ahead one; while another does that, SQLite fails instead of waiting for its turn."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(BUSY_LOOK_S)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    """Begin a transaction; one that will write waits for its turn now, since in the middle it could only fail."""
    reads = connection.get_execution_options().get("reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that only reads; raises StorageError where the database does not answer."""
    with _as_parley_errors(), engine.connect() as connection, connection.execution_options(reads=True).begin():
        yield connection


@contextmanager
def writing(engine: Engine, *, alone: bool = False) -> Iterator[Connection]:
    """One transaction that writes: all of it or nothing; raises StorageError where the database does not answer.

    `alone`: no other such transaction runs meanwhile, in whatever process (in SQLite no two that write ever do).
    """
    with _as_parley_errors(), engine.begin() as connection:
        if alone:
            _take_turns(connection)
        yield connection


@contextmanager
def _as_parley_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError):
        raise StorageError("the jobs' database does not answer; try again") from None
    except NoConnectionError:
        raise StorageError("the jobs' database is too busy; try again") from None


def migrate(engine: Engine) -> None:
    """Bring the database to the tables of this version, in one transaction; a second server waits for the first.

    Raises ConfigurationError, which names DATABASE_URL, where it cannot be reached or is a newer version's.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with _as_configuration_errors(), engine.begin() as connection:
        _take_turns(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def revision_state(engine: Engine) -> RevisionState:
    """Tell whose tables the database has: this version's, an older one's, or none yet; changes nothing.

    Raises ConfigurationError as `migrate`.
    """
    scripts = ScriptDirectory(str(MIGRATIONS))
    with _as_configuration_errors():
        with engine.connect() as connection, connection.execution_options(reads=True).begin():
            found = MigrationContext.configure(connection).get_current_revision()
        if found is None:
            return "none"
        scripts.get_revision(found)
    return "current" if found == scripts.get_current_head() else "older"


@contextmanager
def _as_configuration_errors() -> Iterator[None]:
    try:
        yield
    except CommandError:
        raise ConfigurationError(
            f"the database that {VARIABLE} names is a newer Parley's; update this one", param=VARIABLE
        ) from None
    except SQLAlchemyError:  # what drivers say has host and user in it
        raise ConfigurationError(f"the database that {VARIABLE} names cannot be used; {FIX}", param=VARIABLE) from None


def _take_turns(connection: Connection) -> None:
    """Let no other such transaction run until this one ends; in SQLite no two that write ever do."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(ALONE)))
