"""Both models in one worker: the orchestrator's request and result without the orchestrator."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from common.answer import Heard, Spoken, diarized_turns, orchestrated_answer
from common.audio.blocks import Samples
from common.audio.limits import SAMPLE_RATE
from common.contract import OrchestrationRequest, SpanIn
from common.earlier_words import earlier_heard, earlier_report
from common.idempotency import SharedRuns
from common.job import Boundary, boundary_of, check_webhook
from common.naming.unnamed_speakers import NAMING_SHARE, check_naming
from common.progress import Tick, part_of
from common.repair import REPAIR_SHARE
from common.runpod_loop import post_progress
from common.settings import NamingSettings, Settings
from handlers.combined.naming import named
from handlers.combined.repair import attempted, repaired
from handlers.device import let_others_compute
from handlers.diarization.engine import DiarizationEngine
from handlers.diarization.engines import find_engine as find_diarization
from handlers.diarization.handler import diarize
from handlers.diarization.known import check_known, voice_sources
from handlers.further_audio import FurtherAudio
from handlers.transcription.engine import TranscriptionEngine
from handlers.transcription.handler import find_engine as find_transcription
from handlers.transcription.handler import report
from handlers.transcription.spans import transcribe_spans
from handlers.worker import Worker, load_engine, load_or_exit, serve_worker, settings_of_process

NO_NAMING = NamingSettings()
Found = tuple[Heard, dict[str, Any], Spoken | None]  # the words, the report on them, the speakers if asked for


def transcribe_and_diarize(
    transcription: TranscriptionEngine,
    diarization: DiarizationEngine,
    request: OrchestrationRequest,
    samples: Samples,
    tick: Tick,
    recordings: FurtherAudio = MappingProxyType({}),
    *,
    naming: NamingSettings = NO_NAMING,
) -> dict[str, Any]:
    """Return the orchestrator's result for mono 16 kHz `samples`, without its `timings`.

    `request` is one that `check_request` lets pass. `recordings` are those of known speakers, for all that
    `voice_sources` names; an error among them is the diarization's.
    """
    models_done = 1 - NAMING_SHARE if request.name_speakers else 1.0
    job = _Job(transcription, diarization, request, samples, recordings)
    heard, about, spoken = job.found(part_of(tick, 0.0, models_done))
    names: dict[str, str] = {}
    if request.name_speakers and isinstance(spoken, Mapping):
        names, warnings = named(request, heard, spoken, settings=naming, tick=part_of(tick, models_done, 1.0))
        about["warnings"] += warnings
    return orchestrated_answer(request, heard=heard, transcription=about, diarization=spoken, names=names)


def check_request(
    engine: DiarizationEngine, request: OrchestrationRequest, *, naming: NamingSettings, boundary: Boundary
) -> None:
    """Raise InvalidInputError for a request that cannot be met, as the orchestrator and its children do."""
    check_webhook(request, boundary)
    check_naming(request, available=bool(naming.url))
    if request.diarize and not without_speakers(request):
        check_known(engine, request)


def without_speakers(request: OrchestrationRequest) -> bool:
    """Tell whether there is to be an answer if the diarization fails, be it for the recording of a known speaker."""
    return request.on_diarization_failure == "degrade"


@dataclass(frozen=True, slots=True)
class _Job:
    """One request and the engines that work on it, one after the other."""

    transcription: TranscriptionEngine
    diarization: DiarizationEngine
    request: OrchestrationRequest
    samples: Samples
    recordings: FurtherAudio

    def found(self, tick: Tick) -> Found:
        """Return the words, of the request or transcribed, and the speakers where they are asked for."""
        if not self.request.diarize:
            return self._transcribed(self.request, spans=None, tick=tick), report(self.transcription), None
        if self.request.words is not None:
            spoken = self._diarized(tick)
            heard = earlier_heard(self.request, spoken)
            return heard, earlier_report(heard, spoken), spoken
        return self._both(tick)

    def _both(self, tick: Tick) -> Found:
        first, second, again = _parts(tick, repairing=self.request.repair)
        heard = self._transcribed(self.request, spans=None, tick=first)
        spoken, about = self._diarized(second), report(self.transcription)
        if isinstance(spoken, Mapping):
            decode = partial(self._transcribed, tick=again)
            heard, warnings = repaired(decode, self.request, heard, diarized_turns(spoken).turns)
            about["warnings"] += warnings
        return heard, about, spoken

    def _transcribed(self, request: OrchestrationRequest, *, spans: Sequence[SpanIn] | None, tick: Tick) -> Heard:
        found = transcribe_spans(self.transcription, self.samples, spans=spans, fields=request, tick=tick)
        duration_s = len(self.samples) / SAMPLE_RATE
        return Heard(words=found.words, language=found.language, duration_s=duration_s, coverage=found.coverage)

    def _diarized(self, tick: Tick) -> Spoken:
        def work() -> dict[str, Any]:
            found = diarize(self.diarization, self.request, self.samples, tick, self.recordings)
            diarized_turns(found)  # are they too many to merge, that is an error of the diarization
            return found

        return attempted("diarization", work)


def _parts(tick: Tick, *, repairing: bool) -> tuple[Tick, Tick, Tick]:
    both = 1 - REPAIR_SHARE if repairing else 1.0
    return part_of(tick, 0.0, both / 2), part_of(tick, both / 2, both), part_of(tick, both, 1.0)


def combined_worker(
    transcription: TranscriptionEngine,
    diarization: DiarizationEngine,
    *,
    settings: Settings,
    post: Callable[[dict[str, Any], dict[str, Any]], Awaitable[None]] = post_progress,
) -> Worker[OrchestrationRequest]:
    """Return the RunPod handler of both engines."""
    boundary = boundary_of(settings, webhooks=True)
    return Worker(
        name="combined",
        request_type=OrchestrationRequest,
        infer=partial(transcribe_and_diarize, transcription, diarization, naming=settings.naming),
        limits=settings.limits,
        post_progress=post,
        check=partial(check_request, diarization, naming=settings.naming, boundary=boundary),
        further_audio=voice_sources,
        without_further=without_speakers,
        boundary=boundary,
        runs=SharedRuns(),
    )


def main() -> None:
    """Run the worker until it is told to stop."""
    settings = settings_of_process()
    let_others_compute()
    # both are found before one is loaded: a mistake in the settings is to be heard of within a second
    load_diarization = load_or_exit(lambda: find_diarization(settings.diarization))
    load_transcription = load_or_exit(lambda: find_transcription(settings.transcription))
    diarization = load_or_exit(lambda: load_engine(load_diarization))
    transcription = load_or_exit(lambda: load_engine(load_transcription))
    worker = combined_worker(transcription, diarization, settings=settings)
    serve_worker(worker, settings)


if __name__ == "__main__":
    main()
