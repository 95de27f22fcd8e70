"""The rule of the installed whisperx itself, if it can be imported."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

from common.timeline import Turn, Word
from handlers.diarization.pyannote_import import import_pyannote


def installed() -> bool:
    """Tell whether whisperx, or what of it matters here, is installed."""
    return _function() is not None


def labels(words: Sequence[Word], turns: Sequence[Turn]) -> list[str | None]:
    """Return the speaker of each word, None where whisperx gives none."""
    return run(*inputs(words, turns))


def inputs(words: Sequence[Word], turns: Sequence[Turn]) -> tuple[Any, dict[str, Any]]:
    """Return turns and words as whisperx takes them: a data frame, and a transcript of one segment."""
    import pandas as pd  # noqa: PLC0415 - comes with NeMo

    given = [{"word": word.text, "start": word.start, "end": word.end} for word in words]
    segment = {"start": words[0].start, "end": words[-1].end, "text": "", "words": given} if words else {}
    rows = [(turn.start, turn.end, turn.speaker) for turn in turns]
    return pd.DataFrame(rows, columns=["start", "end", "speaker"]), {"segments": [segment] if segment else []}


def run(turns: Any, transcript: dict[str, Any]) -> list[str | None]:  # noqa: ANN401 - pandas has no types here
    """Call whisperx on what `inputs` returned."""
    function = _function()
    if function is None:
        raise RuntimeError("whisperx is not installed")
    done = function(turns, transcript)
    return [word.get("speaker") for segment in done["segments"] for word in segment["words"]]


@cache
def _function() -> Callable[..., dict[str, Any]] | None:
    if find_spec("whisperx") is None:
        return None
    import_pyannote()  # without the noise that whisperx would import it with
    try:
        from whisperx.diarize import assign_word_speakers  # noqa: PLC0415 - imports torch and pyannote.audio
    except (ImportError, OSError):  # its hard pins conflict with ours, so that anything of it may be missing
        return None
    found: Callable[..., dict[str, Any]] = assign_word_speakers
    return found
