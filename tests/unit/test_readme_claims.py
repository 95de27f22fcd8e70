"""The README's and the comparison's figures are those that were recorded, and each command is run somewhere."""

import ast
import re
import shlex
import tomllib
from functools import cache

import pytest

from common.formats import FORMAT_NAMES
from common.settings import DIARIZATION_MODEL, MODEL_ID
from orchestrator.cli import COMMANDS
from orchestrator.cli_arguments import command_line
from tests.support.markdown_pages import ROOT, commands, fences, pages, shell_lines

FIGURE = r"[\d,]*\d(?:\.\d+)?"
# Where a benchmark's figures stand that has no section of its own in docs/benchmarks.md, or one more.
ELSEWHERE = {"make bench-load": "Parakeet's weights", "make bench-coldstart": ""}
# Each command of the README and its sequels: the test that runs it as it stands, or why none does.
RUN_BY = {
    "make demo ": ("tests/acceptance/test_demo.py", "test_the_demo_prints_transcript_times_and_scores"),
    "make serve ": ("tests/acceptance/conftest.py", "served"),
    "parley ": ("tests/integration/test_page_commands.py", "test_the_commands_of_a_page_do_what_they_say"),
    "curl ": ("tests/acceptance/test_readme.py", "test_the_curl_commands_run_ask_for_and_stop_a_job"),
}
NOT_RUN = {
    "make demo AUDIO=": "another 30 s for the same command: what becomes of a path or URL is tested with the client"
}
SEQUELS = ("README.md", "docs/usage.md", "docs/accuracy.md")


def table_rows(page, heading):
    """Return the cells of each row of the first table below a heading."""
    lines = pages()[page].partition(f"## {heading}\n")[2].partition("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]


def figure(cell):
    """Return the first figure of a cell, None if there is none."""
    found = re.search(rf"(?<![\w.]){FIGURE}(?= |$|,)", cell)
    return found and found[0]


@pytest.mark.parametrize(
    ("page", "heading", "columns"),
    [("README.md", "How good, how fast", 5), ("docs/comparison.md", "What was measured", 4)],
)
def test_figures_are_those_that_were_recorded(page, heading, columns):
    rows = table_rows(page, heading)
    assert len(rows) > 4
    for row in rows:
        assert len(row) == columns
        command = re.fullmatch(r"`(make bench-[a-z]+)`", row[-1])[1]
        told = list(filter(None, map(figure, row[1:3])))
        assert told
        missing = [one for one in told if not is_recorded(one, command)]
        assert missing == [], f"not among the figures of {command}: {missing}"


def sections(page):
    """Return the sections of a page by heading; what stands before the first has the heading ""."""
    parts = re.split(r"^## (.+)\n", pages()[page], flags=re.MULTILINE)
    return dict(zip(["", *parts[1::2]], parts[::2], strict=True))


@cache
def recorded(command):
    """Return what was recorded with a benchmark: the sections that begin with its command, and those of ELSEWHERE."""
    begins = re.compile(rf"\s*`?{command}\b")
    found = [text for text in sections("docs/benchmarks.md").values() if begins.match(text)]
    if command in ELSEWHERE:
        found.append(sections("docs/cold-start.md")[ELSEWHERE[command]])
    return "\n".join(found).replace("**", "")


def is_recorded(told, command):
    """Tell whether a figure is one of a benchmark's own."""
    return re.search(rf"(?<![\d.,]){re.escape(told)}(?![\d]|[.,]\d)", recorded(command)) is not None


def test_a_figure_of_another_benchmark_is_none_of_this():
    assert is_recorded("2.64", "make bench-attribution")
    assert not is_recorded("2.64", "make bench-longform")
    assert is_recorded("26.5", "make bench-load")
    assert not is_recorded("26.5", "make bench-longform")
    assert not is_recorded("2.6", "make bench-attribution")
    assert recorded("make bench-orchestrator").count("make bench-") == 1


def test_ratios_are_those_of_the_figures():
    compared = [row for row in table_rows("README.md", "How good, how fast") if row[3]]
    assert len(compared) > 3
    for row in compared:
        ours, theirs = (float(figure(cell).replace(",", "")) for cell in row[1:3])
        assert f"{ours / theirs:.2f}" == row[3], row[0]


@pytest.mark.parametrize("page", SEQUELS)
def test_every_command_is_run_by_a_test(page):
    lines = shell_lines(pages()[page])
    assert len(lines) > 4
    unknown = [line for line in lines if not line.startswith((*RUN_BY, *NOT_RUN))]
    assert unknown == [], "name in RUN_BY the test that runs them, or in NOT_RUN why none does"


@pytest.mark.parametrize("page", SEQUELS)
def test_every_command_line_is_understood(page):
    lines = [line for line in shell_lines(pages()[page]) if line.startswith("parley ")]
    parsed = [command_line(COMMANDS).parse_args(shlex.split(line, comments=True)[1:]) for line in lines]
    assert {one.name_of_command for one in parsed} >= {"transcribe"}


@pytest.mark.parametrize("command", RUN_BY)
def test_what_runs_them_is_there(command):
    path, name = RUN_BY[command]
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    named = {node.value for node in ast.walk(functions[name]) if isinstance(node, ast.Constant)}
    if command.startswith("make "):  # which does no more than to start this
        target = command.split()[1]
        recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition(f"\n{target}: ")[2].splitlines()[1]
        assert recipe.startswith(f"\t@$(BIN)/parley {target}")
        assert target in named


def test_the_default_models_and_the_deployed_ones_are_told_apart():
    deployed = tomllib.loads((ROOT / ".runpod" / "endpoints.toml").read_text(encoding="utf-8"))
    readme = " ".join(pages()["README.md"].split())
    assert f"take `{MODEL_ID.default}` and, by default, `{DIARIZATION_MODEL.default}`;" in readme
    given = {deployed[worker]["env"]["DIARIZATION_MODEL"] for worker in ("diarization", "combined")}
    assert [f"the settings file of `parley deploy` gives them `{model}`." in readme for model in given] == [True]
    assert {deployed[worker]["env"]["MODEL_ID"] for worker in ("transcription", "combined")} == {MODEL_ID.default}


def test_the_readme_says_how_to_install_the_client_alone_and_the_guide_does():
    section = pages()["README.md"].partition("### 2. Python and the command line")[2].partition("\n### ")[0]
    assert "(docs/deploy.md#from-nothing-to-a-transcript) installs client and command line alone" in section
    step = pages()["docs/deploy.md"].partition("**2. The command line**")[2].partition("**3. ")[0]
    assert re.search(r"^\.venv/bin/pip install .*\.$", step, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "docs/operations.md", "docs/licences.md", "docs/usage.md"]
)
def test_python_is_that_of_the_virtual_environment(page):
    calls = [line for line in commands(pages()[page]) if re.search(r"\bpython3? (?:-m|\w+/)", line)]
    assert [line for line in calls if not re.search(r"(?:^|\s)\.venv/bin/python ", line)] == []


def test_the_demo_prints_what_the_readme_shows():
    shown = next(content for language, content in fences(pages()["README.md"]) if language == "text")
    demo = (ROOT / "tests" / "acceptance" / "test_demo.py").read_text(encoding="utf-8")
    assert "originally from Chicago" in shown
    assert "Chicago" in demo
    assert re.findall(r"^(?:DER|cpWER) +[\d.]+%", shown, flags=re.MULTILINE) == ["DER     5.2%", "cpWER   9.2%"]


def test_the_picture_is_one_of_a_size_for_a_page():
    picture = (ROOT / "docs" / "images" / "page.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 300_000
    assert (ROOT / "docs" / "images" / "screenshot.py").is_file()


def test_versions_and_formats_are_those_of_the_code():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    first, last = re.search(r"Python 3\.(\d+), 3\.\d+ or 3\.(\d+)", pages()["README.md"]).groups()
    assert wanted == f">=3.{first},<3.{int(last) + 1}"
    assert "**Ten formats**" in pages()["README.md"]
    assert len(FORMAT_NAMES) == 10
