"""What does the work of a job: own workers, on this machine or behind Redis, or RunPod's endpoints."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from common.audio.fetch import fetch_audio
from common.audio.job_folder import job_folder
from common.audio.limits import AudioLimits
from common.contract import DiarizationRequest, KnownSpeaker, OrchestrationRequest, RequestT, parse_request
from common.errors import InputTooLargeError, InvalidInputError
from common.naming.unnamed_speakers import AskForNames
from common.progress import OnProgress
from common.results import DiarizationResult
from common.settings import Settings
from orchestrator.children import Children, OnFound
from orchestrator.client_async import AsyncParley
from orchestrator.endpoints import Endpoint, EndpointHealth
from orchestrator.pipeline import Orchestration, orchestrate
from orchestrator.request_parts import carried_words
from orchestrator.server.audio_links import AudioLinks
from orchestrator.server.jobs import Job
from orchestrator.server.store.files import FileStore

OWN_FIELDS = ("audio", "words", "response_format", "timestamps", "subtitles", "idempotency_key", "webhook")
MAX_VOICE_BYTES = 6 * 1024 * 1024


class Backend(Protocol):
    """Transcribes and diarizes the recordings of jobs.

    `models` names what does it, for people; `identity` changes whenever the same job could get another answer.
    """

    @property
    def models(self) -> Mapping[str, str]:
        """The names of the models, by what they do."""

    @property
    def identity(self) -> str:
        """What makes the answers."""

    async def run(
        self,
        job: Job,
        *,
        earlier: Mapping[str, Any] | None,
        on_progress: OnProgress,
        on_found: OnFound,
        deadline_s: float,
    ) -> dict[str, Any]:
        """Return the `verbose_json` result of a transcription, or that of a diarization.

        With an `earlier` result its words are kept and only their speakers are found anew. `on_found` is told of what
        `transcription` and `diarization` found as soon as it is there, where the backend comes to know it. Cancelling
        this call stops the work. Raises the ParleyError that tells what went wrong.
        """
        ...

    async def health(self) -> dict[str, Any]:
        """Return what is known of the workers."""
        ...


class WorkerEndpoint(Endpoint, Protocol):
    """An endpoint that tells of its workers."""

    async def health(self) -> EndpointHealth:
        """Return how many jobs and workers there are."""
        ...


class OwnWorkers:
    """Own diarization and transcription workers, which fetch the recording from this server."""

    def __init__(
        self,
        settings: Settings,
        *,
        diarization: WorkerEndpoint,
        transcription: WorkerEndpoint,
        links: AudioLinks,
        naming: AskForNames | None = None,
    ) -> None:
        self._settings = settings
        self._endpoints = {"diarization": diarization, "transcription": transcription}
        self._links = links
        self._naming = naming
        self.models = models_of(settings)
        self.identity = identity_of(settings)

    async def run(
        self,
        job: Job,
        *,
        earlier: Mapping[str, Any] | None,
        on_progress: OnProgress,
        on_found: OnFound,
        deadline_s: float,
    ) -> dict[str, Any]:
        """See Backend.run; children of a job that is begun again are found by its id."""
        run = Orchestration(request_id=job.request_id, key=job.id, prices=self._settings.prices, on_found=on_found)
        voices = await voices_of(job.fields, limits=self._settings.limits)
        fields = {**job.fields, "known_speakers": await asyncio.to_thread(_in_text, voices)}
        url = self._links.url(job.audio or "")
        if job.kind == "diarization":
            return await self._diarized(request_of(DiarizationRequest, fields, url), run, on_progress, deadline_s)
        return await orchestrate(
            request_of(OrchestrationRequest, fields, url, earlier),
            diarization=self._endpoints["diarization"],
            transcription=self._endpoints["transcription"],
            deadline_s=deadline_s,
            naming=self._naming,
            on_progress=on_progress,
            run=run,
        )

    async def _diarized(
        self, request: DiarizationRequest, run: Orchestration, on_progress: OnProgress, deadline_s: float
    ) -> dict[str, Any]:
        children = Children(
            deadline_s=deadline_s,
            on_progress=on_progress,
            shares={"diarization": 1.0},
            request_id=run.request_id,
            key=run.key,
            on_found=run.on_found,
        )
        asked = request.model_dump(exclude_defaults=True)
        found = await children.run("diarization", self._endpoints["diarization"], asked, DiarizationResult)
        return dict(found)

    async def health(self) -> dict[str, Any]:
        """Return the queue and the workers of both endpoints."""
        found = await asyncio.gather(*(endpoint.health() for endpoint in self._endpoints.values()))
        return {name: _shown(health) for name, health in zip(self._endpoints, found, strict=True)}


class RunPodBackend:
    """RunPod's endpoints, called as the client calls them: the recording goes in the request or by the storage."""

    def __init__(self, settings: Settings, client: AsyncParley, files: FileStore) -> None:
        self._settings = settings
        self._client = client
        self._files = files
        endpoints = settings.endpoints
        called = {
            name: identifier
            for name in ("orchestrator", "diarization", "transcription")
            if (identifier := getattr(endpoints, f"{name}_id"))
        }
        self.models = {name: f"RunPod endpoint {identifier}" for name, identifier in called.items()}
        self.identity = repr((endpoints.base_url, sorted(called.items())))

    async def run(
        self,
        job: Job,
        *,
        earlier: Mapping[str, Any] | None,
        on_progress: OnProgress,
        on_found: OnFound,  # noqa: ARG002 - what the children found is known to the orchestrator endpoint alone
        deadline_s: float,
    ) -> dict[str, Any]:
        """See Backend.run."""
        voices = await voices_of(job.fields, limits=self._settings.limits)
        known = [one if voice is None else {**one, "audio": voice} for one, voice in voices]
        fields = {**asked_of(job.fields), "known_speakers": known, "request_id": job.request_id}
        with self._files.local_path(job.audio or "") as path:
            if job.kind == "diarization":
                return await self._client.diarize(path, on_progress=on_progress, deadline_s=deadline_s, **fields)
            words = {} if earlier is None else carried_words(earlier)
            return await self._client.transcribe(
                path,
                on_progress=on_progress,
                **{**words, **fields, "deadline_s": deadline_s, "idempotency_key": job.id},
            )

    async def health(self) -> dict[str, Any]:
        """Return the queues and the workers of the endpoints."""
        return {name: _shown(health) for name, health in (await self._client.health()).items()}


def pairs_of_workers(health: Mapping[str, Any]) -> int:
    """Return how many jobs the workers that a backend tells of can do at once, 1 at least."""
    up = [
        told["workers_ready"] + told["workers_running"]
        for told in health.values()
        if isinstance(told, Mapping) and {"workers_ready", "workers_running"} <= told.keys()
    ]
    return max(min(up, default=1), 1)


def models_of(settings: Settings) -> dict[str, str]:
    """Return the names of the models that workers with these settings have."""
    transcription = settings.transcription
    model = transcription.whisper_model_size if transcription.engine == "whisper" else transcription.model_id
    return {"diarization": settings.diarization.model, "transcription": f"{transcription.engine} {model}"}


def identity_of(settings: Settings) -> str:
    """Return what is another for workers with these settings whenever their answers could be others."""
    return repr((settings.diarization, settings.transcription))


def asked_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a job's request without those that are the server's own business."""
    return {name: value for name, value in fields.items() if name not in OWN_FIELDS}


def request_of(
    kind: type[RequestT], fields: Mapping[str, Any], url: str, earlier: Mapping[str, Any] | None = None
) -> RequestT:
    """Return a job's request for the recording at `url`; raises InvalidInputError for fields that are wrong."""
    words = {} if earlier is None else carried_words(earlier)
    form = {"response_format": "verbose_json"} if kind is OrchestrationRequest else {}
    return parse_request(kind, {**words, **asked_of(fields), **form, "audio": url})


async def voices_of(fields: Mapping[str, Any], *, limits: AudioLimits) -> list[tuple[dict[str, Any], bytes | None]]:
    """Return the request's known speakers without their recordings, and these, fetched or decoded.

    Nobody else fetches them: own workers may fetch from private addresses, and to the client a text may be a path.
    Raises InvalidInputError, which names the speaker, for what is no recording that may be had.
    """
    given = [KnownSpeaker.model_validate(one) for one in fields.get("known_speakers") or ()]
    return [(one.model_dump(exclude={"audio"}, exclude_none=True), await _voice(one, limits)) for one in given]


async def _voice(known: KnownSpeaker, limits: AudioLimits) -> bytes | None:
    if known.audio is None:
        return None
    few = replace(limits, max_download_bytes=min(limits.max_download_bytes, MAX_VOICE_BYTES))
    try:
        with job_folder() as folder:
            path = await fetch_audio(known.audio, folder, limits=few)
            return await asyncio.to_thread(path.read_bytes)
    except InputTooLargeError:
        raise InputTooLargeError(
            f"the recording of {known.name} has more than {MAX_VOICE_BYTES} bytes; "
            "a few seconds of the voice are enough",
            param="known_speakers",
        ) from None
    except InvalidInputError as error:
        raise type(error)(f"the recording of {known.name}: {error.message}", param="known_speakers") from None


def _in_text(voices: list[tuple[dict[str, Any], bytes | None]]) -> list[dict[str, Any]]:
    """Return known speakers as requests have them; slow."""
    return [known if voice is None else {**known, "audio": base64.b64encode(voice).decode()} for known, voice in voices]


def _shown(health: EndpointHealth) -> dict[str, int]:
    return {
        "jobs_in_queue": health.jobs_in_queue,
        "jobs_in_progress": health.jobs_in_progress,
        "workers_ready": health.workers_ready,
        "workers_running": health.workers_running,
        "workers_initializing": health.workers_initializing,
    }
