"""How good the demo's answer is: DER by pyannote.metrics, cpWER by meeteval, against the sample's reference."""

from pathlib import Path
from typing import Any

import meeteval
from meeteval.wer.wer.cp import cp_word_error_rate
from pyannote.core import Annotation, Segment, Timeline
from pyannote.database.util import load_rttm
from pyannote.metrics.diarization import DiarizationErrorRate
from whisper_normalizer.english import EnglishTextNormalizer


def diarization_error_rate(answer: dict[str, Any], rttm: Path) -> float:
    """Return the DER of the answer's turns, without collar, overlap counted."""
    hypothesis = Annotation()
    for track, turn in enumerate(answer["diarization_segments"]):
        hypothesis[Segment(turn["start"], turn["end"]), track] = turn["speaker"]
    (reference,) = load_rttm(rttm).values()
    whole = Timeline([Segment(0.0, answer["duration"])])
    return float(DiarizationErrorRate(collar=0.0, skip_overlap=False)(reference, hypothesis, uem=whole))


def speaker_word_error_rate(answer: dict[str, Any], stm: Path) -> float:
    """Return the concatenated minimum-permutation WER after Whisper's English text normaliser.

    Source: Watanabe et al., CHiME-6 Challenge (2020), https://arxiv.org/abs/2004.09249.
    """
    normalise = EnglishTextNormalizer()
    reference: dict[str, list[str]] = {}
    for line in meeteval.io.STM.load(stm):
        reference.setdefault(line.speaker_id, []).append(line.transcript)
    hypothesis: dict[str, list[str]] = {}
    for word in answer["words"]:
        hypothesis.setdefault(word["speaker"] or "", []).append(word["word"])
    rate = cp_word_error_rate(
        reference={name: normalise(" ".join(parts)) for name, parts in reference.items()},
        hypothesis={name: normalise(" ".join(parts)) for name, parts in hypothesis.items()},
        reference_sort=False,
        hypothesis_sort=False,
    )
    return float(rate.error_rate)


def score_lines(answer: dict[str, Any], *, reference: Path) -> str:
    """Return the two figures, in percent; `reference` is the folder of sample.rttm and sample.stm."""
    der = diarization_error_rate(answer, reference / "sample.rttm")
    cp_wer = speaker_word_error_rate(answer, reference / "sample.stm")
    return f"\nDER   {der:6.1%}  (no collar, overlap counted)\ncpWER {cp_wer:6.1%}  (Whisper's text normaliser)"
