"""Known speakers: from a recording of each voice, or its embedding, to names for those who are recognised."""

from collections.abc import Mapping
from dataclasses import dataclass

from common.audio.blocks import Samples
from common.contract import DiarizationFields
from common.errors import InvalidInputError
from common.progress import Tick, part_of
from common.results import SpeakerMatch
from common.voices import KnownVoice, check_embedding, match_voices
from handlers.diarization.engine import Diarization, DiarizationEngine, SpeakerCount

OTHER_VOICE_S = 1.0  # less than this of a second voice is more often an error of the model than a person


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVoices:
    """The voices that a request tells of, in the order it tells of them, and what the caller should know of them."""

    voices: tuple[KnownVoice, ...] = ()
    warnings: tuple[str, ...] = ()


def voice_sources(fields: DiarizationFields) -> dict[str, str]:
    """Return the further audio that the request refers to, by the name of its field."""
    return {_audio(number): known.audio for number, known in enumerate(fields.known_speakers) if known.audio}


def check_known(engine: DiarizationEngine, fields: DiarizationFields) -> None:
    """Raise InvalidInputError, naming the field, for an embedding that cannot be one of the engine's.

    So for every use of embeddings where the engine has none.
    """
    wanted = {"known_speakers": bool(fields.known_speakers), "return_embeddings": fields.return_embeddings}
    for param in (name for name, asked in wanted.items() if asked and engine.embedding_dimension == 0):
        raise InvalidInputError(
            f"the model {engine.model} has no speaker embeddings: leave {param} out, or have the worker run a pyannote "
            "pipeline (DIARIZATION_MODEL)",
            param=param,
        )
    for number, known in enumerate(fields.known_speakers):
        if known.embedding is not None:
            param = f"known_speakers.{number}.embedding"
            check_embedding(known.embedding, dimension=engine.embedding_dimension, param=param)


def known_voices(
    engine: DiarizationEngine, fields: DiarizationFields, recordings: Mapping[str, Samples], tick: Tick
) -> KnownVoices:
    """Embed the voices of `fields.known_speakers`; `recordings` has mono 16 kHz samples for every `voice_sources`.

    Raises InvalidInputError, naming the field, for an embedding that cannot be used, and for a recording without
    enough speech of one voice.
    """
    check_known(engine, fields)
    voices, warnings = [], []
    for number, known in enumerate(fields.known_speakers):
        embedding, param = known.embedding, _audio(number)
        if embedding is None:
            step = part_of(tick, number / len(fields.known_speakers), (number + 1) / len(fields.known_speakers))
            embedding, heard_in_it = embed_voice(engine, recordings[param], param=param, tick=_named(step))
            warnings += heard_in_it
        voices.append(KnownVoice(name=known.name, embedding=embedding))
    return KnownVoices(voices=tuple(voices), warnings=tuple(warnings))


def embed_voice(
    engine: DiarizationEngine, samples: Samples, *, param: str, tick: Tick
) -> tuple[list[float], list[str]]:
    """Return the embedding of the voice heard most in mono 16 kHz `samples`, and a warning if there are others.

    It is made by diarizing the recording, exactly as the embeddings it is compared with: speech only, without
    overlap. Raises InvalidInputError, naming `param`, if nobody speaks long enough.
    """
    found = engine.diarize(samples, count=SpeakerCount(), tick=tick)
    spoken_s = {label: _spoken_s(found, label) for label in sorted(found.embeddings)}
    if not spoken_s:
        raise InvalidInputError(
            f"{param} has too little speech to know the voice by; send 5 to 60 s in which only this person speaks",
            param=param,
        )
    loudest = max(spoken_s, key=spoken_s.__getitem__)
    others = {turn.speaker for turn in found.exclusive} - {loudest}
    if not any(_spoken_s(found, label) >= OTHER_VOICE_S for label in others):
        return found.embeddings[loudest], []
    return found.embeddings[loudest], [f"{param} has several voices; the one that speaks longest was taken"]


def recognised(found: Diarization, known: KnownVoices, *, threshold: float) -> tuple[Diarization, list[SpeakerMatch]]:
    """Return the diarization with names for the speakers who are known, and how well each matched."""
    matches = match_voices(found.embeddings, known.voices, threshold=threshold)
    return found.renamed({match.speaker: match.name for match in matches}), matches


def _audio(number: int) -> str:
    return f"known_speakers.{number}.audio"


def _spoken_s(found: Diarization, label: str) -> float:
    return sum(turn.end - turn.start for turn in found.exclusive if turn.speaker == label)


def _named(tick: Tick) -> Tick:
    return lambda _, fraction: tick("known_speakers", fraction)
