"""How good the demo's answer is: DER and cpWER against the sample's reference."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kaldialign
import numpy as np
from pyannote.core import Annotation, Segment, Timeline
from pyannote.database.util import load_rttm
from pyannote.metrics.diarization import DiarizationErrorRate
from scipy.optimize import linear_sum_assignment

STM_FIELDS = 5  # file, channel, speaker, start, end; the rest of a line is text


def diarization_error_rate(answer: dict[str, Any], rttm: Path) -> float:
    """Return the DER of the answer's turns, without collar, overlap counted."""
    hypothesis = Annotation()
    for track, turn in enumerate(answer["diarization_segments"]):
        hypothesis[Segment(turn["start"], turn["end"]), track] = turn["speaker"]
    (reference,) = load_rttm(rttm).values()
    whole = Timeline([Segment(0.0, answer["duration"])])
    return float(DiarizationErrorRate(collar=0.0, skip_overlap=False)(reference, hypothesis, uem=whole))


def cp_word_error_rate(reference: dict[str, str], hypothesis: dict[str, str]) -> float:
    """Return the concatenated minimum-permutation WER of two texts per speaker, as a fraction of reference words.

    Source: Watanabe et al., CHiME-6 Challenge (2020), https://arxiv.org/abs/2004.09249.
    """
    spoken, heard = [text.split() for text in reference.values()], [text.split() for text in hypothesis.values()]
    count = max(len(spoken), len(heard))
    spoken, heard = spoken + [[]] * (count - len(spoken)), heard + [[]] * (count - len(heard))
    errors = np.array([[kaldialign.edit_distance(said, words)["total"] for words in heard] for said in spoken])
    return float(errors[linear_sum_assignment(errors)].sum() / sum(map(len, spoken)))


def speaker_texts(stm: Path) -> dict[str, str]:
    """Return what each speaker of an STM file says."""
    texts: dict[str, str] = {}
    for line in stm.read_text(encoding="utf-8").splitlines():
        *fields, text = line.split(maxsplit=STM_FIELDS)
        texts[fields[2]] = f"{texts.get(fields[2], '')} {text}"
    return texts


def answered_texts(answer: dict[str, Any]) -> dict[str, str]:
    """Return what each speaker of an answer says; words without a speaker count as one more."""
    texts: dict[str, str] = {}
    for word in answer["words"]:
        speaker = word["speaker"] or ""
        texts[speaker] = f"{texts.get(speaker, '')} {word['word']}"
    return texts


def english_normaliser() -> Callable[[str], str]:
    """Return Whisper's English text normaliser."""
    with warnings.catch_warnings():
        for kind in (SyntaxWarning, DeprecationWarning):  # stray backslashes in the docstrings of the package
            warnings.simplefilter("ignore", kind)
        from whisper_normalizer.english import EnglishTextNormalizer  # noqa: PLC0415

    normaliser: Callable[[str], str] = EnglishTextNormalizer()
    return normaliser


def score_lines(answer: dict[str, Any], *, reference: Path) -> str:
    """Return the two figures, in percent; `reference` is the folder of sample.rttm and sample.stm."""
    der = diarization_error_rate(answer, reference / "sample.rttm")
    normalise = english_normaliser()
    spoken, heard = (
        {name: normalise(text) for name, text in texts.items()}
        for texts in (speaker_texts(reference / "sample.stm"), answered_texts(answer))
    )
    cp_wer = cp_word_error_rate(spoken, heard)
    return f"\nDER   {der:6.1%}  (no collar, overlap counted)\ncpWER {cp_wer:6.1%}  (Whisper's text normaliser)"
