"""Names of speakers in requests: what is refused, what is cleaned, what stays."""

import pytest

from common.contract import DiarizationRequest, OrchestrationRequest, parse_request
from common.errors import InvalidInputError

HIDDEN_LABELS = ["SPEAKER_00\u200b", "\ufeffSPEAKER_00", "SPEAKER_\u200d00", "SPEAKER_\x0000", "ＳＰＥＡＫＥＲ_０１"]


def known(name):
    asked = {"audio": "x", "known_speakers": [{"name": "Ada", "audio": "x"}, {"name": name, "audio": "x"}]}
    return parse_request(DiarizationRequest, asked).known_speakers[1].name


def given(name):
    asked = {"audio": "x", "speaker_names": {"SPEAKER_00": name}}
    return parse_request(OrchestrationRequest, asked).speaker_names["SPEAKER_00"]


@pytest.mark.parametrize("name", ["SPEAKER_00", "SPEAKER_1", " speaker_117 ", *HIDDEN_LABELS])
@pytest.mark.parametrize(("names", "param"), [(known, "known_speakers.1.name"), (given, "speaker_names.SPEAKER_00")])
def test_nobody_has_a_name_that_is_a_label(names, param, name):
    with pytest.raises(InvalidInputError, match="is the label of a speaker whom nobody knows") as caught:
        names(name)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "name", ["Ada", "SPEAKER_", "SPEAKER_A", "THE SPEAKER_01", "Speaker 1", "علی\u200cرضا", "C-3PO"]
)
@pytest.mark.parametrize("names", [known, given])
def test_other_names_are_names(names, name):
    assert names(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\u200bAda\u2060", "Ada"),
        (" Ada\nLovelace\x07 ", "Ada Lovelace"),
        ("\u202eadA", "adA"),
        ("\u200dAda\u200c", "Ada"),
    ],
)
@pytest.mark.parametrize("names", [known, given])
def test_what_cannot_be_seen_is_left_out(names, name, shown):
    assert names(name) == shown


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\u200d", "a" * 101, "\u200b" * 1001])
@pytest.mark.parametrize("names", [known, given])
def test_a_name_has_characters_but_not_too_many(names, name):
    with pytest.raises(InvalidInputError, match=r"at least 1 character, at most 100|at most 1000 characters"):
        names(name)


@pytest.mark.parametrize("label", ["", "S" * 201])
def test_labels_have_the_lengths_of_labels(label):
    with pytest.raises(InvalidInputError, match=r"at least 1 character|at most 200 characters"):
        parse_request(OrchestrationRequest, {"audio": "x", "speaker_names": {label: "Ada"}})
