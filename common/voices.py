"""Which of the speakers that were found are people whose voices are known, by the cosine of voice embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import InvalidInputError
from common.results import SpeakerMatch


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVoice:
    """One example of how somebody sounds; a person may have several."""

    name: str
    embedding: Sequence[float]


def match_voices(
    embeddings: Mapping[str, Sequence[float]], known: Sequence[KnownVoice], *, threshold: float
) -> list[SpeakerMatch]:
    """Return which labels of `embeddings` are whom, in the order of the labels.

    The most similar pair is matched first, then the most similar of those left, down to the cosine `threshold`
    inclusive: every person is one speaker at most, every speaker one person. The best of a person's examples counts.
    Embeddings are vectors of one model, of one length, neither zero nor without end (see check_embedding).
    """
    ranked = sorted(
        ((-similarity, label, name) for (label, name), similarity in _similarities(embeddings, known).items())
    )
    matches: list[SpeakerMatch] = []
    for negated, label, name in ranked:
        taken = any(match.speaker == label or match.name == name for match in matches)
        if -negated >= threshold and not taken:
            matches.append(SpeakerMatch(speaker=label, name=name, similarity=-negated))
    return sorted(matches, key=lambda match: match.speaker)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the cosine of two embeddings, to four digits."""
    return round(float(_unit(one) @ _unit(other)), 4)


def check_embedding(embedding: Sequence[float], *, dimension: int, param: str) -> None:
    """Raise InvalidInputError, naming `param`, for what is no embedding of a model with that `dimension`."""
    if len(embedding) != dimension:
        raise InvalidInputError(
            f"{param} has {len(embedding)} numbers, those of this worker's model have {dimension}; take it from "
            "`embeddings` of an earlier result of the same model",
            param=param,
        )
    if not (np.isfinite(embedding).all() and np.any(embedding)):
        raise InvalidInputError(
            f"{param} is all zeros or not finite; take it from `embeddings` of an earlier result", param=param
        )


def _similarities(
    embeddings: Mapping[str, Sequence[float]], known: Sequence[KnownVoice]
) -> dict[tuple[str, str], float]:
    best: dict[tuple[str, str], float] = {}
    for label, embedding in embeddings.items():
        for voice in known:
            pair = label, voice.name
            best[pair] = max(best.get(pair, -1.0), cosine(embedding, voice.embedding))
    return best


def _unit(embedding: Sequence[float]) -> NDArray[np.float64]:
    vector = np.asarray(embedding, np.float64)
    vector = vector / np.abs(vector).max()  # so that no square is too large or too small for a float
    unit: NDArray[np.float64] = vector / np.linalg.norm(vector)
    return unit
