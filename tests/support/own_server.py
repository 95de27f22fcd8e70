"""The web server in the test's own event loop, with a backend that waits and fails as a test says."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from orchestrator.server.app import make_app, serve
from orchestrator.server.context import ServerContext
from tests.support.audio_files import melody, soundfile_bytes
from tests.support.server_app import context_in
from tests.support.server_documents import DIARIZATION, pipeline_answer

RECORDING = soundfile_bytes(melody(16_000, seconds=0.5), 16_000)


@dataclass
class TalkBackend:
    """Hears the words of `server_documents` in everything; a run goes on when `going` is set, and may fail."""

    going: asyncio.Event = field(default_factory=asyncio.Event)
    models: dict = field(default_factory=lambda: {"diarization": "toy voices", "transcription": "toy words"})
    identity: str = "talk"
    asked: list = field(default_factory=list)
    running: int = 0
    failure: Exception | None = field(default=None, init=False)
    late_failure: Exception | None = field(default=None, init=False)

    def __post_init__(self):
        self.reset()

    def reset(self):
        """Do and know what a new one does."""
        self.failure = self.late_failure = None
        self.asked.clear()
        self.going.set()

    async def run(self, job, *, earlier, on_progress, on_found, deadline_s):
        self.asked.append(dict(job.fields))
        if self.failure is not None:
            raise self.failure
        self.running += 1
        try:
            if job.kind == "diarization":
                await self.going.wait()
                return {
                    **DIARIZATION, "num_speakers": 2, "speakers": ["SPEAKER_00", "SPEAKER_01"], "duration": 30.0,
                    "timings": {"total_s": 1.5},
                }  # fmt: skip
            on_found("transcription", pipeline_answer(response_format="verbose_json", diarization=None))
            await self.going.wait()
            if self.late_failure is not None:
                raise self.late_failure
            speakers = DIARIZATION if job.fields.get("diarize", True) else None
            return pipeline_answer(response_format="verbose_json", diarization=speakers)
        finally:
            self.running -= 1

    async def health(self):
        return {}


@dataclass
class OwnServer:
    """A server: where it is, its parts, the files it keeps."""

    url: str
    context: ServerContext
    backend: TalkBackend
    folder: object

    def kept(self):
        """Names of the files in the storage."""
        root = self.folder / "files"
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    def jobs(self):
        """How many jobs there are that are not erased."""
        return sum(self.context.store.counts().values())


@asynccontextmanager
async def own_server(folder, *, backend=None, deadline_s=60.0, **settings):
    """Serve on loopback until the block ends; `settings` are those of `context_in`."""
    backend = backend or TalkBackend()
    context, engine = await asyncio.to_thread(context_in, folder, backend, **settings)
    endpoints = replace(context.settings.endpoints, deadline_s=deadline_s)
    context = replace(context, settings=replace(context.settings, endpoints=endpoints))
    try:
        async with _serving(context) as url:
            yield OwnServer(url, context, backend, folder)
    finally:
        engine.dispose()


@asynccontextmanager
async def _serving(context):
    ready = asyncio.get_running_loop().create_future()
    app = make_app(context)
    serving = asyncio.create_task(serve(app, host="127.0.0.1", port=0, on_ready=ready.set_result))
    try:
        await asyncio.wait({ready, serving}, return_when=asyncio.FIRST_COMPLETED)
        yield ready.result()
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
