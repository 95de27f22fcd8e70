"""Every rule behind one signature: words and what diarization found in, one label per word out."""

from collections.abc import Callable, Sequence

from benchmarks.attribution import baselines, whisperx_package
from benchmarks.attribution.baselines import Labels
from common.speakers import assign_speakers
from common.timeline import SpeakerTurns, Turn, Word

Rule = Callable[[Sequence[Word], SpeakerTurns], Labels]

PARLEY, WHISPERX, WHISPERX_PACKAGE = "parley", "whisperx", "whisperx_package"


def parley(words: Sequence[Word], spoken: SpeakerTurns) -> Labels:
    """Return what `common.speakers` says."""
    return [word.speaker for word in assign_speakers(words, spoken.turns, exclusive=spoken.exclusive)]


def parley_turns_only(words: Sequence[Word], spoken: SpeakerTurns) -> Labels:
    """Return what it says of an engine that tells nothing but turns."""
    return parley(words, SpeakerTurns(turns=spoken.turns))


def rules() -> dict[str, Rule]:
    """Return the rules by name; the others get the turns as the engine finds them, as they take them from pyannote."""
    others: dict[str, Callable[[Sequence[Word], Sequence[Turn]], Labels]] = {
        WHISPERX: baselines.whisperx,
        "whisperx_fill_nearest": baselines.whisperx_fill_nearest,
        "whisper_diarization": baselines.whisper_diarization,
        "nearest_turn": baselines.nearest_turn,
    }
    if whisperx_package.installed():
        others[WHISPERX_PACKAGE] = whisperx_package.labels
    return {
        PARLEY: parley,
        "parley_turns_only": parley_turns_only,
        **{name: _of_turns(rule) for name, rule in others.items()},
    }


def _of_turns(rule: Callable[[Sequence[Word], Sequence[Turn]], Labels]) -> Rule:
    return lambda words, spoken: rule(words, spoken.turns)
