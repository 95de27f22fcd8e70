"""Apply every rule to every conversation and score it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from benchmarks.attribution import baselines
from benchmarks.attribution.alignment import Normaliser
from benchmarks.attribution.conversations import Conversation
from benchmarks.attribution.recognition import Heard
from benchmarks.attribution.rules import Rule
from benchmarks.attribution.scoring import Rate, Truth
from common.timeline import SpeakerTurns, Turn, Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What one rule makes of one conversation; `oracle_` is with the turns of the reference."""

    wder: Rate
    cp_wer: Rate
    tcp_wer: Rate | None
    oracle_wder: Rate
    oracle_cp_wer: Rate
    without_speaker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One conversation: how many speakers were found, how well (DER), and the scores of every rule.

    `unreachable` are the words whose speaker the diarization does not hear anywhere near.
    """

    conversation: Conversation
    words: int
    speakers_found: int
    der: Rate
    unreachable: Rate
    scores: dict[str, Scores]


def measured(conversations: Iterable[Heard], rules: dict[str, Rule], *, normalise: Normaliser) -> list[Row]:
    """Return a row per conversation, in order."""
    return [score(heard, rules, normalise=normalise) for heard in conversations]


def score(heard: Heard, rules: dict[str, Rule], *, normalise: Normaliser) -> Row:
    """Apply every rule to one conversation; who said which word is found once, from the words alone."""
    conversation = heard.conversation
    truth = Truth(conversation.utterances, heard.words, normalise=normalise)
    oracle = SpeakerTurns(turns=conversation.turns)
    return Row(
        conversation=conversation,
        words=len(truth.spoken_by),
        speakers_found=len({turn.speaker for turn in heard.spoken.turns}),
        der=diarization_errors(conversation, heard.spoken.turns),
        unreachable=truth.unreachable(
            baselines.whisperx_fill_nearest(heard.words, heard.spoken.turns), heard.spoken.turns
        ),
        scores={name: _scores(heard, truth, rule, oracle) for name, rule in rules.items()},
    )


def _scores(heard: Heard, truth: Truth, rule: Callable[..., list[str | None]], oracle: SpeakerTurns) -> Scores:
    labels, best = rule(heard.words, heard.spoken), rule(heard.words, oracle)
    labelled = _labelled(heard.words, labels)
    return Scores(
        wder=truth.wder(labels),
        cp_wer=truth.cp_wer(labelled),
        tcp_wer=truth.tcp_wer(labelled),
        oracle_wder=truth.wder(best),
        oracle_cp_wer=truth.cp_wer(_labelled(heard.words, best)),
        without_speaker=labels.count(None),
    )


def _labelled(words: Sequence[Word], labels: Sequence[str | None]) -> list[Word]:
    return [replace(word, speaker=label) for word, label in zip(words, labels, strict=True)]


def diarization_errors(conversation: Conversation, turns: Sequence[Turn]) -> Rate:
    """Return the diarization error in ms, without collar, overlap counted."""
    whole = Timeline([Segment(0.0, conversation.duration_s)])
    metric = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    found = metric(_annotation(conversation.turns), _annotation(turns), uem=whole, detailed=True)
    errors = found["false alarm"] + found["missed detection"] + found["confusion"]
    return Rate(errors=round(1000 * errors), words=round(1000 * found["total"]))


def _annotation(turns: Sequence[Turn]) -> Annotation:
    annotation = Annotation()
    for track, turn in enumerate(turns):
        annotation[Segment(turn.start, turn.end), track] = turn.speaker
    return annotation
