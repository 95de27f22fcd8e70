"""The web server on a real socket, with the real store and runner and a toy in place of the models."""

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import httpx

from common.audio.limits import AudioLimits
from common.errors import UnreadableAudioError
from common.settings import load_settings
from orchestrator.server.app import make_app, serve
from orchestrator.server.audio_links import AudioLinks
from orchestrator.server.context import ServerContext
from orchestrator.server.runner import Runner
from orchestrator.server.settings import load_server_settings
from orchestrator.server.store.database import migrate, open_database
from orchestrator.server.store.files import open_files
from orchestrator.server.store.job_store import JobStore
from orchestrator.server.store.keys import KeyStore
from tests.support.server_documents import DIARIZATION, pipeline_answer

LIMIT_BYTES = 1_000_000
START_S = 60.0
HELD, BROKEN = "held", "broken"


class ToyBackend:
    """Answers at once; a recording called `held…` waits for `release`, one called `broken…` fails."""

    def __init__(self):
        self.models = {"diarization": "toy diarization", "transcription": "toy"}
        self.identity = "toy"
        self.released = asyncio.Event()
        self.jobs = []

    async def run(self, job, *, earlier, on_progress, on_found, deadline_s):
        self.jobs.append((job, earlier))
        on_progress({"stage": "transcribing", "progress": 0.5})
        answer = pipeline_answer(response_format="verbose_json")
        on_found("transcription", {"segments": answer["segments"]})
        if job.filename.startswith(HELD):
            await self.released.wait()
        if job.filename.startswith(BROKEN):
            raise UnreadableAudioError("the recording is no audio", param="audio")
        if job.kind == "diarization":
            return {**DIARIZATION, "num_speakers": 2, "speakers": ["SPEAKER_00", "SPEAKER_01"], "duration": 30.0}
        return answer

    async def health(self):
        return {"transcription": {"workers_ready": 1}}


@dataclass(kw_only=True)
class RunningServer:
    """A server that runs in a thread of its own."""

    url: str
    context: ServerContext
    backend: ToyBackend
    app: object
    loop: asyncio.AbstractEventLoop
    task: object
    _clients: list = field(default_factory=list)
    _stopped: bool = False

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])

    def add_key(self, name):
        """Make an API key and return its plain text."""
        return self.context.keys.add(name)[1]

    def client(self, key=None, **headers):
        """A client, closed with the server."""
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        client = httpx.Client(base_url=self.url, headers=headers, timeout=30.0, trust_env=False)
        self._clients.append(client)
        return client

    def release(self):
        """Let the recordings go on that are held."""
        self.loop.call_soon_threadsafe(self.backend.released.set)

    def ended(self, job_id):
        """Wait until a job is final."""
        return asyncio.run_coroutine_threadsafe(self.context.runner.ended(job_id), self.loop).result(START_S)

    def stop(self):
        """Stop the server, once."""
        if not self._stopped:
            self._stopped = True
            self.loop.call_soon_threadsafe(self.task.cancel)

    def close_clients(self):
        for client in self._clients:
            client.close()


def settings_for(folder, *, limit_bytes=LIMIT_BYTES, private=False, **env):
    """All settings of a server for tests; `env` as its environment has them."""
    server = load_server_settings({"DATA_FOLDER": str(folder), **env})
    limits = AudioLimits(max_download_bytes=limit_bytes, allow_private_addresses=private)
    return replace(load_settings({"PARLEY_PROFILE": "laptop"}), limits=limits), server


def context_in(folder, backend, **settings):
    """The parts of a server in `folder`; its engine is disposed of by `engine.dispose()`."""
    settings, server = settings_for(folder, **settings)
    server.data_folder.mkdir(parents=True, exist_ok=True)
    engine = open_database(server.database_url)
    migrate(engine)
    store = JobStore(
        engine,
        lease_s=server.job_lease_s,
        max_queued=server.max_queued,
        max_queued_per_owner=server.max_queued_per_key,
        max_attempts=server.job_attempts,
    )
    files = open_files(server.storage_url, settings.storage)
    context = ServerContext(
        settings=settings,
        server=server,
        store=store,
        keys=KeyStore(engine),
        files=files,
        runner=Runner(store, files, backend, settings=settings, server=server),
        audio_links=AudioLinks(store.secret(), base_url=""),
    )
    return context, engine


@contextmanager
def running_server(folder, **settings):
    """Run a server on a free port of loopback until the block ends."""
    made, errors = [], []
    ready = threading.Event()
    thread = threading.Thread(target=_serve, args=(folder, settings, made, errors, ready))
    thread.start()
    try:
        if not ready.wait(START_S) or errors:
            raise errors[0] if errors else TimeoutError("the server did not start")
        yield made[0]
    finally:
        for server in made:
            if thread.is_alive():
                server.stop()
        thread.join(START_S)
        for server in made:
            server.close_clients()


def _serve(folder, settings, made, errors, ready):
    try:
        asyncio.run(_served(folder, settings, made, ready))
    except asyncio.CancelledError:
        pass
    except Exception as error:  # noqa: BLE001 - told to the test's own thread
        errors.append(error)
    finally:
        ready.set()


async def _served(folder, settings, made, ready):
    backend = ToyBackend()
    context, engine = context_in(folder, backend, **settings)
    app = make_app(context)

    def on_ready(url):
        made.append(
            RunningServer(
                url=url, context=context, backend=backend, app=app, loop=asyncio.get_running_loop(),
                task=serving,
            )
        )  # fmt: skip
        ready.set()

    serving = asyncio.current_task()
    try:
        await serve(app, host="127.0.0.1", port=0, on_ready=on_ready)
    finally:
        engine.dispose()
