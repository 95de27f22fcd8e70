"""`python -m benchmarks.longform`: transcribe an hour in windows and tell what that loses against other ways.

The last line of the output is JSON. QUICK=1 takes less than a minute. DATA=<folder> takes the utterances that
`B_asr/refs.jsonl` in that folder lists; then TRANSCRIPTION_ENGINE, MODEL_ID and WHISPER_MODEL_SIZE choose the model.
"""

import argparse
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.longform import engines, scoring
from benchmarks.longform.recordings import VOICES, Recording, joined, synthetic
from benchmarks.longform.report import Report, Row
from common.audio.limits import SAMPLE_RATE
from common.settings import TranscriptionSettings, load_settings
from handlers.device import let_others_compute
from handlers.transcription.engine import TranscriptionEngine
from handlers.transcription.parakeet import locate, resolve_precision

MODEL = Path(__file__).parents[2] / "tests" / "fixtures" / "tiny_parakeet" / "tiny-parakeet-tdt.nemo"
TINY = {"TRANSCRIPTION_ENGINE": "parakeet", "MODEL_ID": str(MODEL)}
BUNDLED = {"TRANSCRIPTION_ENGINE": "whisper", "WHISPER_MODEL_SIZE": "bundled"}
if TYPE_CHECKING:
    from benchmarks.longform.arms import Rivals

FULL_MINUTES, QUICK_MINUTES = 60.0, 3.0
QUICK_DATA_MINUTES = 0.75
QUICK_ARM_S = 60.0  # of the recording, for each way to compare with
FULL_BOUNDS_S = (8.0, 10.0, 12.0, 16.0)
LONGER_S = (60.0, 120.0)
QUICK_BOUNDS_S = (10.0,)
QUICK_LIMIT_S = 42.0  # after this no further arm is begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One recording, one engine; `isolated` is what was heard in each utterance alone."""

    recording: Recording
    settings: TranscriptionSettings
    engine: TranscriptionEngine
    isolated: engines.Heard

    def row(self, heard: engines.Heard) -> Row:
        """Score what was heard in the whole recording."""
        return scored(self.recording, " ".join(w.text for w in heard.words), self.recording.duration_s, heard.took_s)

    def windows(self, bound_s: float, report: Report) -> engines.Heard:
        """Measure windows of at most `bound_s` seconds; returns what was heard."""
        recording = self.recording
        heard = engines.hear(self.engine, recording.samples, chunk_duration_s=bound_s)
        seams = scoring.seam_errors(
            recording.said(),
            recording.comparable(self.isolated.words),
            recording.comparable(heard.words),
            engines.seams_s(recording.samples, settings=self.settings, chunk_duration_s=bound_s),
            utterances=[(one.first / SAMPLE_RATE, one.last / SAMPLE_RATE) for one in recording.utterances],
            max_shift_s=recording.max_shift_s,
            windows=[recording.comparable(words) for words in heard.windows],
        )
        report.bounds[bound_s] = self.row(heard), seams
        if bound_s == report.chunk_duration_s and recording.exact_times:
            report.start_errors_ms = scoring.start_errors_ms(
                recording.said(), recording.comparable(heard.words), max_shift_s=recording.max_shift_s
            )
        return heard

    def arms(self, rivals: "Rivals", ours: engines.Heard, report: Report, *, longest_s: float, until: float) -> None:
        """Measure the other ways on the first `longest_s` seconds; begin none after `until` on the monotonic clock."""
        samples = self.recording.samples[: int(min(longest_s, self.recording.duration_s) * SAMPLE_RATE)]
        for name, arm in rivals.arms().items():
            if time.monotonic() > until:
                report.skipped[name] = "out of time"
                continue
            found = arm(samples)
            note = found.note
            if found.duration_s < self.recording.duration_s:
                text = " ".join(word.text for word in ours.words if word.start < found.duration_s)
                same = scored(self.recording, text, found.duration_s, ours.took_s).errors.wer
                note = f"first {found.duration_s:.0f} s, where our windows have {same} %{note and '; '}{note}"
            report.arms[name] = scored(self.recording, found.text, found.duration_s, found.took_s, note=note)


def scored(recording: Recording, text: str, duration_s: float, took_s: float, *, note: str = "") -> Row:
    """Score the text of the first `duration_s` seconds."""
    said = [word for utterance in recording.utterances for word in utterance.words if word.start < duration_s]
    errors = scoring.word_errors(recording.texts(said), recording.normalise(text).split())
    return Row(errors=errors, rtfx=duration_s / took_s, duration_s=duration_s, note=note)


def measure(options: argparse.Namespace, *, started: float) -> Report:
    """Run everything that is asked for."""
    settings = load_settings((BUNDLED if options.data else TINY) | dict(os.environ)).transcription
    recording = (
        joined(Path(options.data), seed=options.seed, longest_s=60 * options.minutes)
        if options.data
        else synthetic(minutes=options.minutes, seed=options.seed, voices=options.voices)
    )
    engine = engines.load(settings, recording.samples)
    spans = [(utterance.first, utterance.last) for utterance in recording.utterances]
    rivals = _rivals(settings, engine.device, longer_s=options.longer_s)
    isolated = (
        rivals.alone(recording.samples, spans) if rivals else engines.hear_alone(engine, recording.samples, spans)
    )
    bench = Bench(recording=recording, settings=settings, engine=engine, isolated=isolated)
    report = Report(
        about=about(recording, engine, settings),
        isolated=bench.row(isolated),
        chunk_duration_s=settings.chunk_duration_s,
    )
    for bound_s in options.chunk_durations:
        # a longer bound than the engine's own is the default in all but name
        if bound_s < engines.decoded_at_once_s(settings, settings.chunk_duration_s):
            bench.windows(bound_s, report)
    ours = bench.windows(settings.chunk_duration_s, report)
    if rivals:
        bench.arms(rivals, ours, report, longest_s=options.longest_arm_s, until=started + options.limit_s)
    return report


def about(recording: Recording, engine: TranscriptionEngine, settings: TranscriptionSettings) -> dict[str, object]:
    """Return what was transcribed, and by what."""
    return {
        "audio": recording.name,
        "audio_s": round(recording.duration_s, 1),
        "utterances": len(recording.utterances),
        "model": engine.model,
        "device": engine.device,
        "card": _card(engine.device),
        "precision": resolve_precision(settings.precision, engine.device),
    }


def _card(device: str) -> str:
    if device != "cuda":
        return f"{os.cpu_count()} CPU cores"
    import torch  # noqa: PLC0415 - takes seconds

    return str(torch.cuda.get_device_name())


def _rivals(settings: TranscriptionSettings, device: str, *, longer_s: tuple[float, ...]) -> "Rivals | None":
    """Return NeMo to compare with, if it is NeMo that runs."""
    if settings.engine != "parakeet":
        return None
    from benchmarks.longform.arms import Rivals  # noqa: PLC0415 - importing NeMo takes 20 s

    bound_s = engines.decoded_at_once_s(settings, settings.chunk_duration_s)
    return Rivals(
        checkpoint=locate(settings)[1],
        device=device,
        precision=resolve_precision(settings.precision, device),
        bound_s=bound_s,
        longer_s=longer_s,
    )


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; QUICK and DATA come from the environment."""
    quick, data = bool(os.environ.get("QUICK", "").strip("0")), os.environ.get("DATA", "")
    minutes = (QUICK_DATA_MINUTES if data else QUICK_MINUTES) if quick else FULL_MINUTES
    parser = argparse.ArgumentParser(prog="python -m benchmarks.longform", description=__doc__)
    parser.add_argument("--minutes", type=float, default=minutes)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--voices", choices=VOICES, default="held-out", help="training: voices the model was trained on"
    )
    parser.add_argument(
        "--chunk-durations",
        type=float,
        nargs="*",
        default=QUICK_BOUNDS_S if quick else FULL_BOUNDS_S,
        metavar="SECONDS",
    )
    parser.add_argument("--list-errors", action="store_true", help="print every word lost, doubled or invented")
    longest_arm_s, limit_s = (QUICK_ARM_S, QUICK_LIMIT_S) if quick else (math.inf, math.inf)
    parser.set_defaults(data=data, longer_s=() if quick else LONGER_S, longest_arm_s=longest_arm_s, limit_s=limit_s)
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    """Print the table, then one line of JSON."""
    started = time.monotonic()
    let_others_compute()
    options = arguments(given)
    report = measure(options, started=started)
    print(report.table())
    if options.list_errors:
        print(report.seam_list())
    print(report.json_line())


if __name__ == "__main__":
    main()
