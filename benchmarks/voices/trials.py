"""Voices embedded as the worker does it, and what comes of comparing them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from benchmarks.voices.speech import Piece, Recording
from common.audio.blocks import Samples
from common.audio.limits import SAMPLE_RATE
from common.errors import InvalidInputError
from common.voices import KnownVoice, cosine, match_voices
from handlers.diarization.engine import Diarization, DiarizationEngine, SpeakerCount
from handlers.diarization.known import embed_voice

LENGTHS_S = (3.0, 5.0, 10.0)
HEARD_S = 10.0  # at most, of a voice that is to be recognised


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A known voice, from the first `length_s` seconds of some utterances."""

    speaker: str
    length_s: float
    embedding: list[float]
    utterances: frozenset[str]


@dataclass(slots=True)
class Voices:
    """All that was embedded: voices as heard in one utterance each, enrolments, and how many were refused."""

    heard: list[tuple[str, list[float]]] = field(default_factory=list)
    enrolments: list[Enrolment] = field(default_factory=list)
    tried: dict[float, int] = field(default_factory=lambda: dict.fromkeys(LENGTHS_S, 0))
    refused: dict[float, int] = field(default_factory=lambda: dict.fromkeys(LENGTHS_S, 0))

    def of(self, speakers: Sequence[str]) -> "Voices":
        """Return those of some speakers alone."""
        return Voices(
            heard=[one for one in self.heard if one[0] in speakers],
            enrolments=[one for one in self.enrolments if one.speaker in speakers],
        )

    def similarities(self, length_s: float, *, same: bool) -> list[float]:
        """Return the cosine of everybody's enrolments with what is heard of the same person, or of all others."""
        return [
            cosine(one.embedding, embedding)
            for one in self.enrolments
            for name, embedding in self.heard
            if one.length_s == length_s and (one.speaker == name) == same
        ]

    def falsely_named(self, length_s: float, *, threshold: float) -> int:
        """Return how many voices get somebody else's name where everybody is known but they."""
        return sum(
            any(
                cosine(one.embedding, embedding) >= threshold
                for one in self.enrolments
                if one.length_s == length_s and one.speaker != name
            )
            for name, embedding in self.heard
        )


def embed_everybody(
    engine: DiarizationEngine, people: Mapping[str, list[Piece]], *, rounds: int, until: float
) -> Voices:
    """Embed up to `rounds` utterances per person as heard, and as many enrolments of each length from other ones.

    No round is begun after `until` on the monotonic clock.
    """
    voices = Voices()
    for number in range(rounds):
        for speaker, pieces in people.items():
            if time.monotonic() > until:
                return voices
            for piece in pieces[::2][number : number + 1]:
                embedding = embed(engine, piece.samples[: round(HEARD_S * SAMPLE_RATE)])
                voices.heard += [(speaker, embedding)] if embedding else []
            for length_s in LENGTHS_S:
                _enrol(engine, voices, speaker, _enrolment(pieces[1::2], length_s=length_s, number=number), length_s)
    return voices


def _enrol(
    engine: DiarizationEngine, voices: Voices, speaker: str, used: list[tuple[str, Samples]], length_s: float
) -> None:
    if not used:
        return
    embedding = embed(engine, np.concatenate([samples for _, samples in used]))
    voices.tried[length_s] += 1
    voices.refused[length_s] += embedding is None
    if embedding:
        names = frozenset(name for name, _ in used)
        voices.enrolments.append(Enrolment(speaker=speaker, length_s=length_s, embedding=embedding, utterances=names))


def _enrolment(pieces: Sequence[Piece], *, length_s: float, number: int) -> list[tuple[str, Samples]]:
    """Return `length_s` seconds of speech that begin with piece `number`; nothing if there is not enough."""
    left = round(length_s * SAMPLE_RATE)
    used = []
    for piece in pieces[number:]:
        if left > 0:
            used.append((piece.utterance, piece.samples[:left]))
            left -= len(used[-1][1])
    return [] if left > 0 else used


def embed(engine: DiarizationEngine, samples: Samples) -> list[float] | None:
    """Return the embedding that the worker computes for a known voice; None where it refuses."""
    try:
        return embed_voice(engine, samples, param="voice", tick=lambda *_: None)[0]
    except InvalidInputError:
        return None


@dataclass(slots=True)
class Named:
    """Speakers found in recordings: who was known, and what they were called."""

    right: int = 0
    missed: int = 0
    strangers: int = 0
    false: list[str] = field(default_factory=list)
    worst_stranger: float | None = None
    least_known: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diarized:
    """A recording as the engine heard it; `truth` is whom each label stands for."""

    recording: Recording
    diarization: Diarization
    truth: dict[str, str]


def diarized(engine: DiarizationEngine, recordings: Sequence[Recording]) -> list[Diarized]:
    """Diarize recordings."""
    return [
        Diarized(recording=recording, diarization=found, truth=dict(_truth(recording, found)))
        for recording in recordings
        for found in [engine.diarize(recording.samples, count=SpeakerCount(), tick=lambda *_: None)]
    ]


def most_alike(found: Sequence[Diarized]) -> float | None:
    """Return the highest cosine of different people in different recordings, None if there are none."""
    similarities = (
        cosine(embedding, other)
        for one, two in combinations(found, 2)
        for label, embedding in one.diarization.embeddings.items()
        for other_label, other in two.diarization.embeddings.items()
        if one.truth[label] != two.truth[other_label]
    )
    return max(similarities, default=None)


def name_speakers(found: Sequence[Diarized], voices: Voices, *, threshold: float) -> dict[float, Named]:
    """Recognise whoever has an enrolment that is from no utterance of the recording; by the length of enrolment."""
    result = {length_s: Named() for length_s in LENGTHS_S}
    for one in found:
        for length_s, named in result.items():
            known = [
                KnownVoice(name=voice.speaker, embedding=voice.embedding)
                for voice in voices.enrolments
                if voice.length_s == length_s and not voice.utterances & _utterances_in(one.recording)
            ]
            _judge(named, one.diarization, one.truth, known, threshold=threshold)
    return result


def _judge(
    named: Named, diarization: Diarization, truth: Mapping[str, str], known: Sequence[KnownVoice], *, threshold: float
) -> None:
    people = {voice.name for voice in known}
    names = {one.speaker: one for one in match_voices(diarization.embeddings, known, threshold=threshold)}
    for label, embedding in diarization.embeddings.items():
        others = [cosine(embedding, voice.embedding) for voice in known if voice.name != truth[label]]
        own = [cosine(embedding, voice.embedding) for voice in known if voice.name == truth[label]]
        named.worst_stranger = max([*others, *_if_any(named.worst_stranger)], default=None)
        named.least_known = min([*own, *_if_any(named.least_known)], default=None)
        named.strangers += truth[label] not in people
        if label in names and names[label].name != truth[label]:
            named.false.append(f"{truth[label]} as {names[label].name} ({names[label].similarity})")
    heard = people & {truth[label] for label in diarization.embeddings}
    right = heard & {match.name for label, match in names.items() if match.name == truth[label]}
    named.right += len(right)
    named.missed += len(heard - right)


def _if_any(similarity: float | None) -> list[float]:
    return [] if similarity is None else [similarity]


def _utterances_in(recording: Recording) -> set[str]:
    return {piece.utterance for piece in recording.pieces()}


def _truth(recording: Recording, diarization: Diarization) -> Iterator[tuple[str, str]]:
    """Yield whom each label stands for: who speaks most of the time that it speaks."""
    for label in diarization.embeddings:
        spoken: dict[str, float] = {}
        for turn in (turn for turn in diarization.exclusive if turn.speaker == label):
            for real in recording.turns:
                shared_s = max(0.0, min(turn.end, real.end) - max(turn.start, real.start))
                spoken[real.speaker] = spoken.get(real.speaker, 0.0) + shared_s
        yield label, max(spoken, key=spoken.__getitem__, default="nobody")
