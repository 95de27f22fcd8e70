import os
from pathlib import Path

from orchestrator.cli_batch_files import found_recordings, planned, source_of
from orchestrator.cli_batch_state import BatchState


def names(audios, folder, response_format="text"):
    return [file.output.name for file in planned(audios, BatchState(folder), folder, response_format=response_format)]


def test_one_file_given_in_several_ways_is_one_recording(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.WAV").touch()
    assert found_recordings(["a.WAV", "./a.WAV", str(tmp_path), "*.WAV"]) == ["a.WAV"]


def test_a_file_with_signs_of_a_pattern_in_its_name_is_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("[a].wav", "a.wav", "b.wav"):
        (tmp_path / name).touch()
    assert found_recordings(["[a].wav"]) == ["[a].wav"]
    assert found_recordings(["[b].wav"]) == ["b.wav"]
    assert found_recordings(["**/*.wav"]) == ["[a].wav", "a.wav", "b.wav"]


def test_no_result_takes_the_place_of_anything(tmp_path):
    (tmp_path / "talk-2.txt").touch()
    (tmp_path / "gone.txt").symlink_to("nowhere")
    assert names(["a/talk.wav", "b/talk.mp3", "gone.wav"], tmp_path) == ["talk.txt", "talk-3.txt", "gone-2.txt"]
    assert names(["a/talk.wav"], tmp_path, "srt") == ["talk.srt"]


def test_names_from_urls_are_names_of_files(tmp_path):
    urls = [
        "https://example.org/x/a%2Fb%00c.mp3?d=e.f",
        "https://example.org",
        "https://example.org/.mp3",
        "https://example.org/" + "ü" * 300,
    ]
    assert names(urls, tmp_path) == ["b_c.txt", "recording.txt", "mp3.txt", "ü" * 60 + ".txt"]


def test_a_name_that_is_no_unicode_can_be_remembered(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.wav")
    state = BatchState(tmp_path)
    assert [file.output.name for file in planned([path], state, tmp_path, response_format="text")] == ["_.txt"]
    state.save()
    assert BatchState(tmp_path).output_of(source_of(path), "txt") == "_.txt"


def test_pipes_in_a_folder_are_left_out(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "a.wav").touch()
    (tmp_path / "gone.wav").symlink_to("nowhere")
    found = [Path(path).name for path in found_recordings([str(tmp_path)])]
    assert found == ["a.wav", "gone.wav"]


def test_a_data_uri_gives_its_result_no_name(tmp_path):
    assert names(["data:audio/wav;base64,QUJD"], tmp_path) == ["recording.txt"]
