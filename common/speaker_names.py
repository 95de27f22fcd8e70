"""Names that a request gives to speakers: whom they are for, whom they make one, and what becomes of embeddings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from common.timeline import SpeakerTurns, Turn

LISTED = 5  # in a warning


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerNames:
    """Names by label of the turns, the same as the caller is told of them, and what the caller should know."""

    by_label: Mapping[str, str]
    told: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def speaker_names(
    asked: Mapping[str, str],
    spoken: SpeakerTurns,
    *,
    matches: Iterable[Mapping[str, Any]] = (),
    found: Mapping[str, str] = MappingProxyType({}),
) -> SpeakerNames:
    """Return who of `spoken` is called what: as `asked`, else as `found`, which is by label of the turns.

    `asked` is by label too, or by the label that a speaker of `matches` (`{speaker, name}`) had before the voice was
    recognised. Two labels that get one name are one speaker from there on; where that name is the label of somebody
    whom nobody renames, it is so as well, but a warning tells.
    """
    labels = spoken.labels
    now = {match["speaker"]: match["name"] for match in matches}
    meant = {key: key if key in labels else now.get(key, key) for key in asked}
    keys = {meant[key]: key for key in sorted(asked, key=labels.__contains__) if meant[key] in labels}
    given = {label: asked[key] for label, key in keys.items()}
    others = {label: name for label, name in found.items() if label in labels and label not in given}
    return SpeakerNames(
        by_label={**others, **given},
        told={**others, **{key: asked[key] for key in keys.values()}},
        warnings=(*_unknown([key for key in asked if meant[key] not in labels], labels), *_collisions(given, labels)),
    )


def named_embeddings(
    vectors: Mapping[str, Sequence[float]], names: Mapping[str, str], spoken: SpeakerTurns
) -> dict[str, list[float]]:
    """Return embeddings by name; that of labels which share a name is their mean, weighted by seconds of speech."""
    shared: dict[str, list[str]] = {}
    for label in vectors:
        shared.setdefault(names.get(label, label), []).append(label)
    return {
        name: list(vectors[labels[0]])
        if len(labels) == 1
        else _mean([vectors[label] for label in labels], [_spoken_s(spoken.turns, label) for label in labels])
        for name, labels in shared.items()
    }


def _mean(vectors: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    total = sum(weights)
    shares = [weight / total for weight in weights] if total else [1 / len(weights)] * len(weights)
    return [
        round(sum(share * value for share, value in zip(shares, values, strict=True)), 6)
        for values in zip(*vectors, strict=False)  # of one model, so of one length
    ]


def _spoken_s(turns: Iterable[Turn], label: str) -> float:
    return sum(turn.end - turn.start for turn in turns if turn.speaker == label)


def _unknown(keys: Sequence[str], labels: Iterable[str]) -> list[str]:
    if not keys:
        return []
    return [f"speaker_names: nobody is labelled {_listed(keys)}; the speakers are {_listed(sorted(labels)) or 'none'}"]


def _collisions(given: Mapping[str, str], labels: Iterable[str]) -> list[str]:
    untouched = set(labels) - given.keys()
    taken = sorted({name for name in given.values() if name in untouched})
    if not taken:
        return []
    held = f"speaker_names gives somebody the name {_listed(taken)}, which another speaker has"
    return [f"{held}: they are one speaker now; give that one another name too to keep them apart"]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
