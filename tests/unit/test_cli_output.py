import io

from common.errors import InvalidInputError
from orchestrator.cli_output import ProgressLine, report_error, written


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


def test_an_error_is_one_line_whatever_its_message(capsys):
    report_error(InvalidInputError("two\nlines"))
    assert capsys.readouterr().err == "error: two lines [invalid_input]\n"


def test_results_end_with_one_newline(tmp_path, capsys):
    written("a", None)
    written("b\n", None)
    assert capsys.readouterr().out == "a\nb\n"
    written("ä", tmp_path / "out")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "ä\n"
