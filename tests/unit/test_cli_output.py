import io
from pathlib import Path

import pytest

from common.errors import InvalidInputError
from orchestrator.cli_output import (
    ProgressLine,
    check_readable,
    check_writable,
    report_coverage,
    report_error,
    write_atomically,
    written,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(stream, *fractions):
    with ProgressLine(stream) as line:
        for fraction in fractions:
            line.show({"stage": "decoding", "progress": fraction})
    return stream.getvalue()


def test_a_log_gets_a_line_per_tenth():
    assert shown(io.StringIO(), 0.0, 0.05, 0.5, 0.55, 1.0) == "  0% decoding\n 50% decoding\n100% decoding\n"


def test_a_terminal_gets_one_line_that_is_cleared_at_the_end():
    drawn = shown(Terminal(), 0.5)
    assert drawn == f"\r\x1b[K{'█' * 15}{'·' * 15}  50% decoding\r\x1b[K"


def test_progress_without_a_figure_is_passed_over():
    assert shown(io.StringIO(), None, "half") == ""


@pytest.mark.parametrize("target", ["none/out.srt", "."])
def test_where_nothing_can_be_written_is_found_out_first(tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.access", lambda path, _: path.name == "fine")
    with pytest.raises(InvalidInputError, match="cannot write"):
        check_writable(Path(target))
    check_writable(None)


@pytest.mark.parametrize("audio", ["https://example.org/a.wav", "data:audio/wav;base64,AA", __file__])
def test_what_can_be_read_passes(audio):
    check_readable(audio)


def test_a_result_that_cannot_be_written_is_shown(tmp_path, capsys):
    written("precious", tmp_path)
    captured = capsys.readouterr()
    assert captured.out == "precious\n"
    assert "Is a directory" in captured.err


def test_an_error_is_one_line_whatever_its_message(capsys):
    report_error(InvalidInputError("two\nlines"))
    assert capsys.readouterr().err == "error: two lines [invalid_input]\n"


def test_results_end_with_one_newline(tmp_path, capsys):
    written("a", None)
    written("b\n", None)
    assert capsys.readouterr().out == "a\nb\n"
    written("ä", tmp_path / "out")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "ä\n"


def test_speech_decoded_again_is_told_in_one_line(capsys):
    report_coverage({"coverage": {"speech_s": 40.0, "repaired_s": 3.2, "empty_s": 1.04}})
    line = "coverage: of 40.0 s of speech, 3.2 s got words when decoded again, 1.0 s have none\n"
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("answer", [{}, {"coverage": None}, {"coverage": {"repaired_s": 0.0, "empty_s": 0.0}}])
def test_nothing_is_told_where_nothing_was_missing(capsys, answer):
    report_coverage(answer)
    assert capsys.readouterr().err == ""


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "a.txt"
    write_atomically(target, "one\n")
    write_atomically(target, "two\n")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        write_atomically(target, "three\n")
    assert target.read_text(encoding="utf-8") == "two\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
