"""`python -m benchmarks.transport`: word errors of the bundled Whisper straight from the file and after Opus.

DATA=<folder> takes English utterances with their text (`B_asr`) and conversations (`C_spk`); without it there is
pyannote.audio's sample. QUICK=1 takes less than 50 s. The last line of the output is JSON.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.transport import measure
from benchmarks.transport.measure import HISS, QUIETER, STRAIGHT, Arm, HourSent, Way
from benchmarks.transport.speech import Passage, joined, passages
from handlers.device import let_others_compute

BIT_RATES = "24000,20000,16000,12000,10000"
QUICK_BIT_RATES = "12000"
QUICK_PASSAGES = 6
TARGET_POINTS = 0.2
HEADER = f"{'':>12}{'bit/s':>9}{'kB/min':>8}{'min/request':>13}{'encode':>9}{'WER %':>8}{'points':>8}   95 % interval"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transport", description=__doc__)
    parser.add_argument("--bit-rates", default=None, type=_bit_rates, metavar="RATE,…", help=BIT_RATES)
    parser.add_argument("--takes", default=None, type=int, help="transcribe everything so often, a little shifted")
    parser.add_argument("--kind", choices=("utterances", "conversations"), help="only these")
    return parser


def _bit_rates(text: str) -> list[int]:
    return [int(rate) for rate in text.split(",")]


def chosen(data: Path | None, *, kind: str | None, quick: bool) -> list[Passage]:
    """Return what is transcribed."""
    found = [one for one in passages(data) if kind in {None, one.kind}]
    return found[:QUICK_PASSAGES] if quick else found


def line(arm: Arm, straight: Arm) -> str:
    """Return a row of the table under HEADER."""
    way = f"{arm.way:>12}{'':39}"
    if isinstance(arm.way, int):
        way = (
            f"{arm.way:12}{arm.bits_per_s:9.0f}{arm.bits_per_s * 60 / 8000:8.0f}{arm.minutes_that_fit:13.0f}"
            f"{arm.encode_x:8.0f}x"
        )
    points, low, high = arm.cost(straight)
    return f"{way}{arm.total.percent:8.2f}{points:+8.2f}   {low:+.2f} to {high:+.2f}"


def figures(arm: Arm, straight: Arm) -> dict[str, Any]:
    """Return the same for the JSON line: rates in percent, differences in points."""
    points, low, high = arm.cost(straight)
    return {
        "way": arm.way,
        "bits_per_s": round(arm.bits_per_s),
        "encode_x": round(arm.encode_x),
        "wer": round(arm.total.percent, 3),
        "points": round(points, 3),
        "errors": arm.total.errors,
        "interval": [round(low, 3), round(high, 3)],
    }


def kind_lines(arms: Sequence[Arm], straight: Arm, speech: Sequence[Passage]) -> Iterator[str]:
    """Yield the rows again, of each kind of speech alone."""
    for kind in dict.fromkeys(one.kind for one in speech):
        chosen = [one.kind == kind for one in speech]
        baseline = straight.only(chosen)
        yield f"{kind}: {sum(chosen)} passages"
        yield from (line(arm.only(chosen), baseline) for arm in (straight, *arms))


def document(straight: Arm, arms: Sequence[Arm], hour_rate: int, hour: HourSent | None, takes: int) -> dict[str, Any]:
    """Return what the JSON line says; `arms` has one at `hour_rate`."""
    at_hour = next(arm for arm in arms if arm.way == hour_rate)
    return {
        "wer": round(straight.total.percent, 3),
        "wer_60_min": round(at_hour.total.percent, 3),
        "points_60_min": round(at_hour.cost(straight)[0], 3),
        "target_points": TARGET_POINTS,
        "bit_rate_60_min": hour_rate,
        "hour": hour and {"bytes": hour.size_bytes, "share": round(hour.share, 4), "seconds": round(hour.seconds, 1)},
        "arms": [figures(arm, straight) for arm in arms],
        "passages": len(straight.rates),
        "words": straight.total.words // takes,
        "takes": takes,
    }


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Print the table, then one line of JSON."""
    let_others_compute()
    asked, quick = _parser().parse_args(arguments), bool(environment.get("QUICK", "").strip("0"))
    data, takes = environment.get("DATA"), asked.takes or 1
    speech = chosen(Path(data) if data else None, kind=asked.kind, quick=quick)
    engine, normalise, hour = measure.load_engine(environment), measure.english(), measure.hour_of(joined(speech))
    hour_rate = measure.hour_rate(hour)
    bit_rates = asked.bit_rates or _bit_rates(QUICK_BIT_RATES if quick else BIT_RATES)

    def measured(way: Way) -> Arm:
        return measure.measured(engine, speech, normalise, way=way, takes=takes)

    straight = measured(STRAIGHT)
    print(HEADER, line(straight, straight), sep="\n", flush=True)
    arms = []
    for way in (hour_rate, HISS, QUIETER, *sorted({*bit_rates} - {hour_rate}, reverse=True)):
        arms.append(measured(way))
        print(line(arms[-1], straight), "  <- an hour" if way == hour_rate else "", flush=True)
    print("\n".join(kind_lines(arms, straight, speech)))
    sent = None if quick else measure.hour_sent(hour)
    if sent:
        print(f"an hour: {sent.size_bytes / 1e6:.2f} MB, {sent.share:.1%} of the room, in {sent.seconds:.1f} s")
    print(f"{engine.model}: {straight.total.words // takes} words, {len(speech)} passages, {takes} takes")
    print(json.dumps(document(straight, arms, hour_rate, sent, takes), allow_nan=False))


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
