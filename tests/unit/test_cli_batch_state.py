from pathlib import Path

import pytest

from orchestrator import cli_batch_lock, cli_batch_state
from orchestrator.cli_batch_files import planned
from orchestrator.cli_batch_lock import locked
from orchestrator.cli_batch_state import JOURNAL_NAME, UNKNOWN, BatchState
from orchestrator.cli_batch_urls import remembered_url, shown_audio
from orchestrator.cli_output import write_atomically

COUNT = 300


@pytest.fixture
def state(tmp_path):
    """A state with COUNT results, each a file, of which it is noted what they were made with."""
    state = BatchState(tmp_path)
    for number in range(COUNT):
        state.reserve(f"{number}.txt", f"/in/{number}.wav")
    state.save()
    for number in range(COUNT):
        (tmp_path / f"{number}.txt").touch()
        state.note(f"{number}.txt", f"key {number}")
    return state


def keys(state):
    return [state.key_of(f"{number}.txt") for number in range(COUNT)]


def test_what_was_noted_survives_a_kill(state, tmp_path):
    with (tmp_path / JOURNAL_NAME).open("a") as journal:
        journal.write('{"source": "/in/0.wav", "key": "torn')
    again = BatchState(tmp_path)
    assert keys(again) == [f"key {number}" for number in range(COUNT)]
    again.save()
    assert not (tmp_path / JOURNAL_NAME).exists()
    assert keys(BatchState(tmp_path)) == keys(state)


def test_noting_a_result_does_not_write_the_others(state, tmp_path, monkeypatch):
    monkeypatch.setattr(cli_batch_state, "write_atomically", None)
    before = (tmp_path / JOURNAL_NAME).stat().st_size
    state.note("7.txt", "another key")
    assert (tmp_path / JOURNAL_NAME).stat().st_size - before < 100
    assert state.made_with("key 7") is None
    assert state.made_with("another key") == tmp_path / "7.txt"


def test_finding_a_result_does_not_look_at_the_others(state, monkeypatch):
    looked = []
    is_file = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda path: looked.append(path) or is_file(path))
    assert state.made_with("none") is None
    assert state.made_with("key 250").name == "250.txt"
    assert len(looked) == 1


def test_many_recordings_of_one_name_are_planned_without_counting_anew(tmp_path, monkeypatch):
    looked = []
    monkeypatch.setattr("os.path.lexists", lambda path: looked.append(path) or False)
    audios = [f"/in/{number}/a.wav" for number in range(COUNT)]
    files = planned(audios, BatchState(tmp_path), tmp_path, response_format="text")
    assert [file.output.name for file in files[:2] + files[-1:]] == ["a.txt", "a-2.txt", f"a-{COUNT}.txt"]
    assert len(looked) == COUNT


def test_a_result_of_unknown_content_is_ours_but_of_no_recording(state, tmp_path):
    state.note("3.txt", UNKNOWN)
    assert BatchState(tmp_path).key_of("3.txt") == UNKNOWN


def test_what_is_there_is_not_replaced(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    write_atomically(tmp_path / "a", "first", replace=False)
    for link in (None, no_links):
        if link:
            monkeypatch.setattr("os.link", link)
        with pytest.raises(FileExistsError):
            write_atomically(tmp_path / "a", "second", replace=False)
    write_atomically(tmp_path / "b", "third", replace=False)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "first", "b": "third"}


def test_a_system_without_locks_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli_batch_lock, "fcntl", None)
    with locked(tmp_path), locked(tmp_path):
        assert capsys.readouterr().err.count("cannot lock the output folder") == 2


@pytest.mark.parametrize(
    ("url", "remembered"),
    [
        ("https://h.org/a.wav?X-Goog-Signature=1&x-goog-date=2", "https://h.org/a.wav"),
        ("https://h.org/a.wav?Expires=1&Signature=2&AWSAccessKeyId=3", "https://h.org/a.wav"),
        ("https://h.org/a.wav?sv=1&se=2&sr=b&sig=3", "https://h.org/a.wav"),
        ("https://h.org/a.wav#t=5", "https://h.org/a.wav"),
    ],
)
def test_what_signs_a_url_is_not_remembered(url, remembered):
    assert remembered_url(url) == remembered


def test_what_tells_urls_apart_is_remembered_as_a_digest():
    urls = [f"https://h.org/a?{query}" for query in ("id=1", "id=2", "se=1", "token=1", "token=2")]
    found = [remembered_url(url) for url in urls]
    assert len(set(found)) == len(urls)
    assert all(one.startswith("https://h.org/a#") and "=" not in one for one in found)
    assert remembered_url("data:audio/wav;base64,QUJD") != remembered_url("data:audio/wav;base64,QUJE")


def test_urls_are_shown_without_their_queries():
    assert shown_audio("https://h.org/a.wav?sig=1#x") == "https://h.org/a.wav"
    assert shown_audio("data:audio/wav;base64,QUJD") == "data:…"
    assert shown_audio("in/what?.wav") == "in/what?.wav"
