"""From the probabilities that each speaker talks, frame by frame, to turns; as NVIDIA's NeMo does it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.timeline import SpeakerTurns, Turn

STEPS_PER_S = 100  # NeMo binarises in steps of 10 ms, whatever the model's frames are
DIGITS = 6  # of seconds, so that what should be equal is equal: edges of turns and frames, durations and their limits

Probabilities = NDArray[np.float32]  # [frame, speaker]
Spans = NDArray[np.float64]  # [span, 2]: start and end in seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Binarization:
    """When a speaker begins and ends to talk; the defaults and the names are NeMo's (its PostProcessingParams)."""

    onset: float = 0.5
    offset: float = 0.5
    pad_onset_s: float = 0.0
    pad_offset_s: float = 0.0
    min_duration_on_s: float = 0.0
    min_duration_off_s: float = 0.0


def speaker_turns(
    probabilities: Probabilities, *, rule: Binarization, frame_s: float, duration_s: float
) -> SpeakerTurns:
    """Return who talks when in audio of `duration_s`; labels are SPEAKER_00 and on, by first appearance.

    In an exclusive turn the speaker is the most probable, frame by frame, of those who talk.
    """
    spans = [
        _clipped(speech_spans(column, rule=rule, frame_s=frame_s), duration_s)
        for column in np.ascontiguousarray(probabilities.T)
    ]
    heard = sorted((speaker for speaker, own in enumerate(spans) if len(own)), key=lambda speaker: spans[speaker][0, 0])
    labels = {speaker: f"SPEAKER_{number:02d}" for number, speaker in enumerate(heard)}
    turns = [(start, end, labels[speaker]) for speaker in heard for start, end in spans[speaker].tolist()]
    alone = [(start, end, labels[speaker]) for start, end, speaker in _exclusive(spans, probabilities, frame_s)]
    return SpeakerTurns(turns=_sorted(turns), exclusive=_sorted(alone))


def speech_spans(probabilities: NDArray[np.float32], *, rule: Binarization, frame_s: float) -> Spans:
    """Return when one speaker talks, by the probability of each frame; spans may end beyond the last frame.

    Equal to NeMo 3.0's `ts_vad_post_processing`, but for audio that ends in speech, where it forgets the last 10 ms.
    """
    talking = _talking(np.repeat(probabilities, round(frame_s * STEPS_PER_S)), rule)
    padded = runs(talking) / STEPS_PER_S + (-rule.pad_onset_s, rule.pad_offset_s)
    spans = _joined(np.maximum(padded, 0.0).round(DIGITS))
    spans = spans[(spans[:, 1] - spans[:, 0]).round(DIGITS) >= rule.min_duration_on_s]
    return _joined(spans, shorter_than_s=rule.min_duration_off_s)


def with_at_most(probabilities: Probabilities, *, speakers: int, onset: float) -> Probabilities:
    """Return the probabilities of the `speakers` who talk longest, in their order, with the speech of the others.

    Each stretch of another's speech goes to the one of them who is most probable in it, so that none is nobody's.
    """
    talking = probabilities > onset
    by_activity = np.argsort(-talking.sum(axis=0), kind="stable")
    kept, others = np.sort(by_activity[:speakers]), by_activity[speakers:]
    found = probabilities[:, kept].copy()
    for other in others:
        for first, last in runs(talking[:, other]):
            heir = probabilities[first:last, kept].sum(axis=0).argmax()
            found[first:last, heir] = np.maximum(found[first:last, heir], probabilities[first:last, other])
    return found


def _talking(probabilities: NDArray[np.float32], rule: Binarization) -> NDArray[np.bool_]:
    """Return for every step whether the speaker talks: since it was above onset, until it is below offset.

    Where the offset is above the onset, as NVIDIA tuned it, a step between them is both, and turns the state around.
    """
    begins, ends = probabilities > rule.onset, probabilities < rule.offset
    steps = np.arange(len(probabilities))
    decided = np.maximum.accumulate(np.where(begins != ends, steps, -1))
    turns = np.cumsum(begins & ends)
    turned = (turns - np.append(turns, 0)[decided]) % 2 == 1
    # the last of both is for steps before the first decision, when nobody talks
    return np.asarray(np.append(begins, False)[decided] ^ turned)


def runs(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return first and one past last of each run of true flags, [run, 2]."""
    return np.flatnonzero(np.diff(flags, prepend=False, append=False)).reshape(-1, 2)


def _joined(spans: Spans, *, shorter_than_s: float = 0.0) -> Spans:
    """Join ordered spans that no gap parts, or one shorter than that."""
    if len(spans) == 0:
        return spans
    gaps_s = (spans[1:, 0] - spans[:-1, 1]).round(DIGITS)
    apart = (gaps_s > 0) & (gaps_s >= shorter_than_s)
    return np.column_stack((spans[np.concatenate(([True], apart)), 0], spans[np.concatenate((apart, [True])), 1]))


def _clipped(spans: Spans, duration_s: float) -> Spans:
    clipped = np.minimum(spans, duration_s)
    return clipped[clipped[:, 0] < clipped[:, 1]]


def _exclusive(spans: list[Spans], probabilities: Probabilities, frame_s: float) -> list[tuple[float, float, int]]:
    """Cut the time at every edge of a turn or frame, and give each piece to the most probable of those who talk."""
    frames = len(probabilities)
    edges = np.unique(
        np.concatenate([*(own.ravel() for own in spans), (np.arange(frames + 1) * frame_s).round(DIGITS)])
    )
    middles = (edges[:-1] + edges[1:]) / 2
    talking = np.column_stack([_covers(own, middles) for own in spans])
    frame = np.minimum((middles / frame_s).astype(np.int64), frames - 1)
    owner = np.where(talking, probabilities[frame], -1.0).argmax(axis=1)
    owner[~talking.any(axis=1)] = -1
    changes = np.flatnonzero(np.diff(owner, prepend=-1, append=-1))
    pieces = zip(changes[:-1].tolist(), changes[1:].tolist(), strict=True)
    return [(float(edges[a]), float(edges[b]), int(owner[a])) for a, b in pieces if owner[a] >= 0]


def _covers(spans: Spans, times: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.searchsorted(spans[:, 0], times) > np.searchsorted(spans[:, 1], times)


def _sorted(turns: list[tuple[float, float, str]]) -> tuple[Turn, ...]:
    return tuple(sorted(Turn(start=start, end=end, speaker=speaker) for start, end, speaker in turns))
