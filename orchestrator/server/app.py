"""The web server: its routes put together, and served over HTTP."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from common.errors import ConfigurationError
from orchestrator.server.context import ServerContext
from orchestrator.server.http import audio, edits, events, health, jobs, openai, results, session, synchronous, uploads
from orchestrator.server.http.access import Access
from orchestrator.server.http.connections import Connection
from orchestrator.server.http.documentation import document_of
from orchestrator.server.http.errors import handle_errors
from orchestrator.server.http.events import Streams
from orchestrator.server.http.exchange import Exchanges
from orchestrator.server.http.heads import Heads
from orchestrator.server.http.metrics import ServerMetrics
from orchestrator.server.http.page import add_page
from orchestrator.server.settings import SERVER_HOST, SERVER_PORT
from orchestrator.server.version import parley_version

ROUTERS = (uploads, jobs, results, events, edits, audio, synchronous, openai, session, health)
MAX_CONNECTIONS = 1000
MAX_HEADER_BYTES = 64 * 1024
KEEP_ALIVE_S = 30
THREADS = 64
SHUTDOWN_S = 5  # for answers that are on their way
ABOUT = "Recordings in, transcripts with the right speaker on every word out."


def make_app(context: ServerContext) -> FastAPI:
    """Return the application; its lifespan starts and closes `context.runner`.

    Raises ConfigurationError for a rate limit that is none.
    """
    metrics = ServerMetrics(context.store)
    app = FastAPI(
        title="Parley",
        version=parley_version(),
        description=ABOUT,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = context
    app.state.access = Access(context)
    app.state.metrics = metrics
    app.state.streams = Streams()
    app.state.big_edits = asyncio.Lock()
    app.openapi = lambda: document_of(app)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    handle_errors(app)
    for module in ROUTERS:
        app.include_router(module.router)
    add_page(app)
    app.add_middleware(Heads)
    if context.server.cors_origins:
        _let_in(app, context.server.cors_origins)
    app.add_middleware(Exchanges, metrics=metrics)
    return app


async def serve(app: FastAPI, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until cancelled; `on_ready` is given the address, with the real port where `port` is 0.

    When cancelled, streams are ended and other answers get `SHUTDOWN_S` seconds. Signals are the caller's business.
    Raises ConfigurationError where the port cannot be had, and what the runner raises when it does not start.
    """
    # a few uploads to a slow storage must not keep all others waiting; Python's own pool has six threads on two cores
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="server"))
    with contextlib.closing(_listening(host, port)) as listening:
        server = _Server(_config(app), lambda: on_ready(_address(host, listening)))
        async with app.router.lifespan_context(app):
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                await asyncio.shield(serving)
            except asyncio.CancelledError:
                app.state.streams.closing.set()
                server.should_exit = True
                await serving
                raise


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers, which tells when it listens."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def _config(app: FastAPI) -> uvicorn.Config:
    proxies = app.state.context.server.trusted_proxies
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",  # serve() does that, so that its errors are raised there
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        limit_concurrency=MAX_CONNECTIONS,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context: ServerContext = app.state.context
    await context.runner.start()
    try:
        yield
    finally:
        await context.runner.close()


def _let_in(app: FastAPI, origins: tuple[str, ...]) -> None:
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-Request-ID", "Range"],
        expose_headers=["X-Request-ID", "Retry-After", "Location", "Content-Disposition", "Content-Range"],
    )


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None) or 0
        if number in {errno.EADDRNOTAVAIL, socket.EAI_NONAME, socket.EAI_AGAIN}:
            raise ConfigurationError(
                f"{host} is no address of this machine; listen on 127.0.0.1, or 0.0.0.0", param=SERVER_HOST.name
            ) from None
        raise ConfigurationError(
            f"cannot listen on port {port}, which another process may have; set {SERVER_PORT.name} to another",
            param=SERVER_PORT.name,
        ) from None


def _address(host: str, listening: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}"
