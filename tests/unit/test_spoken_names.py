"""Which names of a language model are kept, case by case."""

import pytest

from common.naming.spoken_names import spoken_names as checked_names
from common.timeline import Segment

TALK = (
    Segment(0, 0, 2, "Hi, I'm Sheila. And you?", "SPEAKER_00"),
    Segment(1, 2, 4, "I'm Diane O'Brien-Lee, good morning, Sheila's friend.", "SPEAKER_01"),
    Segment(2, 4, 5, "Unknown speaker, none, Agent 47. Call me speaker 01!", None),
    Segment(3, 5, 6, "Here is José Müller, and İpek.", "SPEAKER_02"),
)


def spoken_names(answer, segments, unnamed=None):
    return checked_names(answer, segments, {one.speaker for one in segments} if unnamed is None else unnamed)


def one(name: object) -> object:
    return spoken_names({"SPEAKER_00": name}, TALK).get("SPEAKER_00")


@pytest.mark.parametrize(
    ("answered", "kept"),
    [
        ("Sheila", "Sheila"),
        ("  Sheila\n", "Sheila"),
        ("SHEILA", "SHEILA"),
        ("Diane O'Brien-Lee", "Diane O'Brien-Lee"),
        ("Diane O’Brien", "Diane O’Brien"),
        ("José Müller", "José Müller"),
        ("Jose\u0301", "Jose\u0301"),
        ("İpek", "İpek"),
        ("Agent 47", "Agent 47"),
        ("Sheila.", "Sheila"),
        ("- Sheila", "Sheila"),
        ("'Sheila'", "Sheila"),
        ("· Diane O'Brien-", "Diane O'Brien"),
    ],
)
def test_a_name_that_is_spoken_is_kept(answered, kept):
    assert one(answered) == kept


@pytest.mark.parametrize(
    "answered",
    [
        "Bob",
        "Sheila Smith",
        "Sheila Diane",
        "Lee Diane",
        "Here",
        "morning",
        "friend",
        "Hi",
        "And",
        "I'm Sheila",
        "Hi I'm Sheila",
        "Sheil",
        "Shei la",
        "heila",
        "47",
        "",
        " ",
        "'-.",
        "Sheila\nDiane",
        "Sheila\tDiane",
        "Sheila\u2028Diane",
        "Sheila\u202e",
        "Sheila\x00",
        "<b>Sheila</b>",
        "Sheila, Diane",
        "Sheila 🙂",
        "Sheila_",
        "Sheila " * 9,
        "Unknown",
        "unknown speaker",
        "None",
        "Speaker 01",
        None,
        True,
        47,
        ["Sheila"],
        {"name": "Sheila"},
    ],
)
def test_anything_else_is_not(answered):
    assert one(answered) is None


def test_sixty_characters_are_a_name():
    long = "X" * 60
    talk = (Segment(0, 0, 1, f"I'm {long}. Or {long}x.", "A"),)
    assert spoken_names({"A": long}, talk) == {"A": long}
    assert spoken_names({"A": f"{long}x"}, talk) == {}


def test_only_labels_of_the_talk_are_named():
    answer = {"SPEAKER_00": "Sheila", "SPEAKER_09": "Diane", "speaker_01": "Diane", "Sheila": "SPEAKER_00", "": "José"}
    assert spoken_names(answer, TALK) == {"SPEAKER_00": "Sheila"}


@pytest.mark.parametrize("again", ["Sheila", "sheila.", "SHEILA"])
def test_a_name_given_twice_is_given_to_nobody(again):
    answer = {"SPEAKER_00": "Sheila", "SPEAKER_01": again, "SPEAKER_02": "José"}
    assert spoken_names(answer, TALK) == {"SPEAKER_02": "José"}


def test_a_namesake_with_a_second_name_is_somebody_else():
    answer = {"SPEAKER_00": "Diane", "SPEAKER_01": "Diane O'Brien"}
    assert spoken_names(answer, TALK) == answer


def test_no_name_is_another_speakers_label():
    talk = (Segment(0, 0, 1, "Hi, I'm Sheila.", "SPEAKER_00"), Segment(1, 1, 2, "Hi.", "sheila"))
    assert spoken_names({"SPEAKER_00": "Sheila", "sheila": "Sheila"}, talk[:1]) == {"SPEAKER_00": "Sheila"}
    assert spoken_names({"SPEAKER_00": "Sheila"}, talk) == {}


@pytest.mark.parametrize(
    ("said", "name", "kept"),
    [
        ("我是李明。", "李明", True),
        ("저는 민수입니다.", "민수", True),
        ("我是李明。", "李华", False),
        ("मैं शीला हूँ।", "शीला", True),
        ("मैं शीला हूँ।", "शील", False),
        ("меня зовут Иван", "ИВАН", True),
    ],
)
def test_scripts_with_and_without_spaces(said, name, kept):
    assert spoken_names({"A": name}, (Segment(0, 0, 1, said, "A"),)) == ({"A": name} if kept else {})


def test_no_answer_and_no_talk():
    assert spoken_names({}, TALK) == {}
    assert spoken_names({"SPEAKER_00": "Sheila"}, ()) == {}


@pytest.mark.parametrize(
    ("said", "name", "kept"),
    [
        ("I'm Sheila. Hi Sheila, Bob here.", "Sheila Hi Sheila Bob here", False),
        ("Bob here, and I'm Sheila.", "Here I'm Bob", False),
        ("I'm Vincent van Gogh.", "Vincent van Gogh", True),
        ("I'm Vincent van Gogh.", "Vincent Gogh", False),
        ("Ich bin Otto von der Heide.", "Otto von der Heide", True),
        ("This is Omar al-Rashid.", "Omar al-Rashid", True),
        ("This is Omar al-Rashid.", "al-Rashid", True),
        ("This is Omar al-Rashid.", "Omar al", False),
        ("Soy Maria de la Cruz.", "Maria de la", False),
        ("I'm ann smith. Smith, yes. Ann!", "Ann Smith", True),
        ("I'm ann smith. Ann!", "Ann Smith", False),
        ("I'm ann the smith. Smith, yes. Ann!", "Ann the Smith", False),
        ("I am Ana Bea Cia Dea Eva Fay.", "Ana Bea Cia Dea Eva", True),
        ("I am Ana Bea Cia Dea Eva Fay.", "Ana Bea Cia Dea Eva Fay", False),
        ("You are He Jing.", "He Jing", True),
        ("He is Jing. He laughs.", "He", False),
        ("მე ვარ ნინო.", "ნინო", True),
        ("我是李明。", "李 明", True),
        ("李是明。", "李明", False),
    ],
)
def test_a_name_is_said_in_one_go_and_with_capitals(said, name, kept):
    assert spoken_names({"A": name}, (Segment(0, 0, 1, said, "A"),)) == ({"A": name} if kept else {})


def test_parts_of_a_name_are_said_in_one_segment():
    talk = (Segment(0, 0, 1, "I'm Diane", "A"), Segment(1, 1, 2, "Smith agrees.", "B"))
    assert spoken_names({"A": "Diane Smith", "B": "Smith"}, talk) == {"B": "Smith"}


def test_an_answer_for_somebody_with_a_name_counts_for_nothing():
    answer = {"SPEAKER_00": "Sheila", "SPEAKER_01": "Sheila"}
    assert spoken_names(answer, TALK, {"SPEAKER_00"}) == {"SPEAKER_00": "Sheila"}
    assert spoken_names(answer, TALK, {"SPEAKER_09"}) == {}


def test_the_name_that_somebody_has_is_taken():
    talk = (Segment(0, 0, 1, "Hi, Sheila.", "SPEAKER_00"), Segment(1, 1, 2, "Hi.", "Sheila"))
    assert spoken_names({"SPEAKER_00": "Sheila."}, talk, {"SPEAKER_00"}) == {}
