"""The diarization worker: audio in, who spoke when out."""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from types import MappingProxyType
from typing import Any

from common.audio.blocks import Samples
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.contract import DiarizationFields, DiarizationRequest
from common.formats import rttm_of_turns
from common.job import Boundary, boundary_of
from common.progress import Tick, part_of
from common.results import DiarizationResult, TurnOut
from common.runpod_loop import post_progress
from common.talk_time import talk_time
from common.timeline import Turn
from handlers.device import let_others_compute
from handlers.diarization.engine import Diarization, DiarizationEngine, SpeakerCount
from handlers.diarization.engines import find_engine
from handlers.diarization.known import check_known, known_voices, recognised, voice_sources
from handlers.further_audio import FurtherAudio, usable
from handlers.worker import Worker, load_engine, load_or_exit, serve_worker, settings_of_process


def diarize(
    engine: DiarizationEngine,
    fields: DiarizationFields,
    samples: Samples,
    tick: Tick,
    recordings: FurtherAudio = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the diarization endpoint's result for mono 16 kHz `samples`, without its `timings`.

    `recordings` are the samples of known voices, for every `voice_sources` of the request. Raises the error that
    stands for one of them.
    """
    voices = usable(recordings)
    first, second = _parts(tick, known=sum(map(len, voices.values())), job=len(samples))
    known = known_voices(engine, fields, voices, first)
    count = SpeakerCount(exact=fields.num_speakers, at_least=fields.min_speakers, at_most=fields.max_speakers)
    found = engine.diarize(samples, count=count, tick=second)
    threshold = fields.known_speaker_threshold
    found, matches = recognised(
        found, known, threshold=engine.same_voice_similarity if threshold is None else threshold
    )
    segments = _turns_out(found.turns)
    talk = talk_time(segment.turn() for segment in segments)
    speakers = list(talk.speech_s)
    result = DiarizationResult(
        segments=segments,
        exclusive_segments=_turns_out(found.exclusive),
        num_speakers=len(speakers),
        speakers=speakers,
        duration=round(len(samples) / SAMPLE_RATE, 3),
        speech_seconds=talk.speech_s,
        overlap_seconds=talk.overlap_s,
        embeddings=_rounded(found) if fields.return_embeddings else None,
        speaker_matches=matches if fields.known_speakers else None,
        model=engine.model,
        device=engine.device,
        warnings=[*engine.warnings, *known.warnings, *_count_warnings(fields, len(speakers))],
        timings={},
    )
    asked = {"embeddings": fields.return_embeddings, "speaker_matches": bool(fields.known_speakers)}
    return result.model_dump(exclude={"timings", *(key for key, wanted in asked.items() if not wanted)})


def answered(
    engine: DiarizationEngine,
    request: DiarizationRequest,
    samples: Samples,
    tick: Tick,
    recordings: FurtherAudio = MappingProxyType({}),
) -> dict[str, Any]:
    """Return `diarize`'s result in the request's `response_format`."""
    result = diarize(engine, request, samples, tick, recordings)
    if request.response_format == "json":
        return result
    document = rttm_of_turns(Turn(**segment) for segment in result["segments"])
    others = {key: value for key, value in result.items() if key not in ("segments", "exclusive_segments")}
    return {"text": document, "format": request.response_format, **others}


def _parts(tick: Tick, *, known: int, job: int) -> tuple[Tick, Tick]:
    """Return the ticks of the voices and of the job's audio, by their shares of all samples."""
    if not known:
        return tick, tick
    share = known / (known + job)
    return part_of(tick, 0.0, share), part_of(tick, share, 1.0)


def _turns_out(turns: Iterable[Turn]) -> list[TurnOut]:
    return [TurnOut(start=round(turn.start, 3), end=round(turn.end, 3), speaker=turn.speaker) for turn in turns]


def _rounded(found: Diarization) -> dict[str, list[float]]:
    return {speaker: [round(value, 6) for value in vector] for speaker, vector in found.embeddings.items()}


def _count_warnings(fields: DiarizationFields, found: int) -> list[str]:
    at_least = fields.num_speakers or fields.min_speakers or 0
    at_most = fields.num_speakers or fields.max_speakers or found
    if found == 0 or at_least <= found <= at_most:
        return []
    wanted = at_least if found < at_least else at_most
    bound = "" if fields.num_speakers else "at least " if found < at_least else "at most "
    return [f"{bound}{wanted} speakers were asked for, but {found} could be told apart"]


def diarization_worker(
    engine: DiarizationEngine,
    *,
    limits: AudioLimits,
    boundary: Boundary | None = None,
    post: Callable[[dict[str, Any], dict[str, Any]], Awaitable[None]] = post_progress,
) -> Worker[DiarizationRequest]:
    """Return the RunPod handler of one engine."""
    return Worker(
        name="diarization",
        request_type=DiarizationRequest,
        infer=partial(answered, engine),
        limits=limits,
        post_progress=post,
        check=partial(check_known, engine),
        further_audio=voice_sources,
        boundary=boundary or Boundary(),
    )


def main() -> None:
    """Run the worker until it is told to stop."""
    settings = settings_of_process()
    let_others_compute()
    engine = load_or_exit(lambda: load_engine(find_engine(settings.diarization)))
    worker = diarization_worker(engine, limits=settings.limits, boundary=boundary_of(settings))
    serve_worker(worker, settings)


if __name__ == "__main__":
    main()
