"""What every pyannote pipeline's run comes to: turns inside the audio, speakers numbered as they appear."""

import math
from collections.abc import Iterable, Mapping, Sequence

from common.timeline import Turn
from handlers.diarization.engine import Diarization

Spoken = tuple[float, float, str]  # start and end in seconds, any label


def outcome(
    spoken: Iterable[Spoken], exclusive: Iterable[Spoken], vectors: Mapping[str, Sequence[float]], *, duration_s: float
) -> Diarization:
    """Return the diarization of audio of `duration_s`, which the models pad with silence.

    A speaker has no embedding who never talks alone long enough to have one.
    """
    turns, alone = _inside(spoken, duration_s), _inside(exclusive, duration_s)
    names = dict.fromkeys(speaker for _, _, speaker in (*turns, *alone))
    labels = {name: f"SPEAKER_{number:02d}" for number, name in enumerate(names)}
    heard = {labels[name]: [float(value) for value in vector] for name, vector in vectors.items() if name in labels}
    usable = {label: vector for label, vector in heard.items() if all(map(math.isfinite, vector)) and any(vector)}
    return Diarization(
        turns=_labelled(turns, labels), exclusive=_labelled(alone, labels), embeddings=dict(sorted(usable.items()))
    )


def _inside(spoken: Iterable[Spoken], duration_s: float) -> list[Spoken]:
    clipped = ((max(start, 0.0), min(end, duration_s), speaker) for start, end, speaker in spoken)
    return sorted((start, end, speaker) for start, end, speaker in clipped if start < end)


def _labelled(spoken: list[Spoken], labels: Mapping[str, str]) -> tuple[Turn, ...]:
    return tuple(sorted(Turn(start=start, end=end, speaker=labels[speaker]) for start, end, speaker in spoken))
