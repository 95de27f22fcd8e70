"""The demo: the local platform, three real workers, one request, the transcript, and where the time went."""

import asyncio
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp

from common.contract import OrchestrationRequest, parse_request
from common.errors import ConfigurationError
from common.results import OrchestrationResult
from common.settings import Settings
from orchestrator.children import checked_output
from orchestrator.cli_output import ProgressLine, check_readable, report_coverage
from orchestrator.endpoints import RUNSYNC_BODY_BYTES, configured_endpoint
from orchestrator.local.stack import local_stack
from orchestrator.upload import request_audio

STAGES = {"diarization": "diarization", "transcription": "transcription", "transcription_repair": "repair"}


async def run_demo(audio: str | None, *, log_folder: Path, env: Mapping[str, str]) -> int:
    """Transcribe `audio` (path or URL), or the sample that pyannote.audio ships; prints the outcome, returns 0."""
    if audio:
        check_readable(audio)
    sample = None if audio else sample_folder()
    sys.stderr.write("starting the local platform and its three workers…\n")
    started = time.monotonic()
    async with local_stack(log_folder, env=env) as settings:
        start_up_s = time.monotonic() - started
        recording = audio if sample is None else sample / "sample.wav"
        field = await asyncio.to_thread(
            request_audio, recording or "", limits=settings.limits, body_limit_bytes=RUNSYNC_BODY_BYTES
        )
        answer = await _answer(field, settings)
    print(transcript_lines(answer))
    report_coverage(answer)
    print(time_table(answer["timings"], start_up_s=start_up_s))
    if sample:
        print(_scores(answer, sample))
    return 0


def _scores(answer: dict[str, Any], sample: Path) -> str:
    try:
        from orchestrator.demo_score import score_lines  # noqa: PLC0415 - slow, and an extra
    except ImportError:
        return "\nno scores: they need the extra packages of parley[demo]; run: make install"
    return score_lines(answer, reference=sample)


def sample_folder() -> Path:
    """Return the folder of pyannote.audio's 30 s sample: sample.wav, .rttm, .stm."""
    spec = find_spec("pyannote.audio")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError("the sample needs the package pyannote.audio; run: make install")
    return Path(spec.submodule_search_locations[0]) / "sample"


async def _answer(audio: str, settings: Settings) -> dict[str, Any]:
    request = parse_request(OrchestrationRequest, {"audio": audio, "response_format": "verbose_json"})
    deadline_s = settings.endpoints.deadline_s
    async with aiohttp.ClientSession() as session:
        orchestrator = configured_endpoint(settings.endpoints, "orchestrator", session, submit_by="runsync")
        with ProgressLine() as line:
            result = await orchestrator.run(
                request.model_dump(exclude_none=True), deadline_s=deadline_s, on_progress=line.show
            )
    return checked_output("orchestrator", result.output, OrchestrationResult)


def transcript_lines(answer: dict[str, Any]) -> str:
    """Return the transcript, one line a segment: start, speaker, text."""
    lines = [f"{_clock(part['start'])}  {part['speaker'] or '—':<12} {part['text']}" for part in answer["segments"]]
    return "\n".join([*lines, "", *(f"warning: {text}" for text in answer["warnings"])])


def time_table(timings: Mapping[str, float], *, start_up_s: float) -> str:
    """Return a table of where the time went, in seconds on the request's own clock."""
    rows = [f"{'stage':<28}{'from':>8}{'to':>8}{'seconds':>9}"]
    for name, title in STAGES.items():
        if f"{name}_end_s" in timings:
            start_s, end_s = timings[f"{name}_start_s"], timings[f"{name}_end_s"]
            rows.append(f"{title:<28}{start_s:>8.2f}{end_s:>8.2f}{end_s - start_s:>9.2f}")
            rows.append(f"{'  of it in the queue':<44}{timings[f'{name}_queue_s']:>9.2f}")
            rows.append(f"{'  of it on the worker':<44}{timings[f'{name}_execution_s']:>9.2f}")
    rows.append(f"{'merge':<44}{timings['merge_s']:>9.2f}")
    rows.append(f"{'the orchestrator itself':<44}{timings['orchestrator_s']:>9.2f}")
    rows.append(f"{'the whole request':<44}{timings['total_s']:>9.2f}")
    rows.append(f"{'(starting the workers, once)':<44}{start_up_s:>9.2f}")
    return "\n".join(rows)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):02d}:{rest:05.2f}"
