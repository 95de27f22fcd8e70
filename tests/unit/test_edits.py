"""What a reader's edits may be."""

import pytest

from common.errors import InvalidInputError, UnknownFieldError
from orchestrator.server import edited
from orchestrator.server.documents import parse_edits, rendered
from tests.support.server_documents import stored_result


def word(text="hm", start=0.0, end=1.0, **more):
    return {"word": text, "start": start, "end": end, **more}


def edits(*words, speaker="A", **speakers):
    return {"segments": [{"speaker": speaker, "words": list(words)}], "speakers": speakers}


def refused(raw, match="."):
    with pytest.raises(InvalidInputError, match=match) as caught:
        parse_edits(raw)
    return caught.value


def test_what_is_checked_comes_back():
    given = edits(word("a", 0, 0.5, space_before=False, confidence=0.5), word("b", 0.5, 1), A="Ann")
    assert parse_edits(given).model_dump(exclude_defaults=True) == given


@pytest.mark.parametrize("raw", [None, [], "{}", 1])
def test_edits_are_an_object(raw):
    refused(raw, "is an object")


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        ({}, "segments"),
        ({"segments": [{"speaker": "A"}]}, "segments.0.words"),
        (edits(word("")), "segments.0.words.0.word"),
        (edits(word("x" * 1001)), "segments.0.words.0.word"),
        (edits(word("\ud800")), "segments.0.words.0.word"),
        (edits(word(start=-1.0)), "segments.0.words.0.start"),
        (edits(word(end=float("nan"))), "segments.0.words.0.end"),
        (edits(word(start=2.0)), "segments.0.words.0"),
        (edits(word(start="0")), "segments.0.words.0.start"),
        (edits(word(confidence=2.0)), "segments.0.words.0.confidence"),
        (edits(word(), speaker=""), "segments.0.speaker"),
        (edits(word(), speaker="x" * 201), "segments.0.speaker"),
    ],
)
def test_what_is_wrong_is_named(raw, param):
    assert refused(raw).param == param


def test_unknown_keys_are_refused():
    assert isinstance(refused(edits(word(colour="red")), "unknown field"), UnknownFieldError)


@pytest.mark.parametrize("name", ["", " \n ", "\u200b", "x" * 101, "SPEAKER_07"])
def test_names_are_as_the_contract_wants_them(name):
    assert refused(edits(word(), A=name), r"speakers\.A: ").param == "speakers"


def test_a_name_loses_what_cannot_be_seen():
    assert parse_edits(edits(word(), A="Ann\n-->\t\x00Lee\u202e", B="B")).names == {"A": "Ann --> Lee"}


def test_words_are_in_order():
    refused(edits(word(start=0.5), word(start=0.25)), "at 0.25 s comes after the one at 0.5 s")
    later = {"segments": [*edits(word(start=0.5))["segments"], *edits(word(start=0.25))["segments"]]}
    refused(later, "give words by their start")


def test_there_are_not_too_many_words(monkeypatch):
    monkeypatch.setattr(edited, "MAX_WORDS", 3)
    half = {"speaker": None, "words": [word(), word()]}
    refused({"segments": [half, half]}, "4 words are too many, at most 3")


def test_there_are_not_too_many_speakers():
    refused({"segments": [{"speaker": str(i), "words": []} for i in range(101)]}, "101 speakers are too many")
    refused({"segments": [], "speakers": {str(i): "Ann" for i in range(101)}}, "at most 100")


HOSTILE = "<script>alert(1)</script>\n\n7\n00:00:00,000 --> 00:00:09,000\tx\u2028NOTE \x00"


@pytest.mark.parametrize("name", ["srt", "vtt", "txt", "tsv", "stm", "ctm", "rttm"])
def test_no_text_breaks_a_file(name):
    hostile = parse_edits(edits(word(HOSTILE), speaker="A", A="<b>-->\n[Eve]\t</b>"))
    content = rendered(stored_result(), name, edited=hostile).content.decode()
    plain = rendered(stored_result(), name, edited=parse_edits(edits(word("x"), A="y"))).content.decode()
    assert "<script" not in content or name in {"txt", "tsv"}
    assert "\u2028" not in content
    if name in {"txt", "tsv", "stm", "rttm"}:
        assert len(content.splitlines()) == len(plain.splitlines())
    elif name in {"srt", "vtt"}:
        blocks = len(content.split("\n\n"))
        assert content.count("-->") == (blocks - 1 if name == "vtt" else blocks) > 0
