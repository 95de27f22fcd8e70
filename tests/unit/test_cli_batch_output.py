import io
from pathlib import Path

from common.errors import InvalidInputError
from orchestrator.cli_batch import BatchReport
from orchestrator.cli_batch_files import BatchFile
from orchestrator.cli_batch_output import BatchProgress, print_summary


class Terminal(io.StringIO):
    def isatty(self):
        return True


def file(name):
    return BatchFile(audio=f"{name}.wav", source=name, output=Path(f"{name}.txt"))


def shown(stream):
    with BatchProgress(total=3, before=1, stream=stream) as progress:
        with progress.shown("a.wav") as tell, progress.shown("b.wav"):
            tell({"stage": "decoding", "progress": 0.25})
            tell({"stage": "no figure"})
        progress.done(file("a"), {"coverage": {"speech_s": 9.0, "repaired_s": 2.0, "empty_s": 0.0}})
        progress.failed(file("b"), InvalidInputError("two\nlines"))
    return stream.getvalue()


def test_a_log_gets_a_line_for_each_recording():
    assert shown(io.StringIO()) == (
        "[2/3] done: a.wav -> a.txt\n"
        "  coverage: of 9.0 s of speech, 2.0 s got words when decoded again, 0.0 s have none\n"
        "[3/3] failed: b.wav: two lines [invalid_input]\n"
    )


def test_a_terminal_gets_a_bar_with_what_runs():
    drawn = shown(Terminal())
    assert "1/3 [" in drawn
    assert "a.wav 25%, b.wav 0%" in drawn
    assert "[2/3] done: a.wav -> a.txt\n" in drawn
    assert "3/3 [" in drawn


def test_the_summary_says_what_is_left_and_how_to_go_on(capsys):
    report = BatchReport(done=[file("a")], skipped=[file("b")], waiting=[file("c")])
    print_summary(report, interrupted=True)
    print_summary(BatchReport(done=[file("a")]))
    assert capsys.readouterr().out == (
        "1 done, 1 done before, 1 not done\nthe same command goes on with what is not done\n1 done\n"
    )
