"""What the pages name is there: make targets, commands and their options, variables, fields, codes, files."""

import re
from functools import cache

import pytest

from common.settings import VARIABLES
from orchestrator.cli import COMMANDS
from orchestrator.cli_arguments import command_line
from orchestrator.server.settings import VARIABLES as SERVER_VARIABLES
from tests.support.markdown_pages import ROOT, code_words, commands, pages, spans

OUR_FOLDERS = ("common/", "handlers/", "orchestrator/", "tests/", "benchmarks/", "docs/", ".ci/", ".runpod/")
NAME = re.compile(r"(?<![…\w*])[A-Za-z]\w*_\w+(?![…\w*]|\.\w)")  # neither part of a pattern nor a file
# Names of others, which our code has no cause to spell.
FOREIGN = {
    "HF_HOME": "huggingface_hub's cache",
    "HF_HUB_OFFLINE": "huggingface_hub without a network",
    "DEFAULT_ALIGN_MODELS_HF": "whisperX",
    "assign_word_speakers": "whisperX",
    "extra_body": "openai, for fields that are not OpenAI's",
    "AMPERE_48": "RunPod's name for a kind of GPU",
    "worker_connections": "nginx",
    "RUNPOD_INIT_TIMEOUT": "RunPod's limit for a worker's start",
}


@pytest.mark.parametrize("name", pages())
def test_make_targets_exist(name):
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    lines = [line for line in commands(pages()[name]) if re.search(r"(?:^|\s)make ", f"{line} ")]
    named = {word for line in lines for word in re.findall(r"(?:^|\s)make ([a-z][\w-]*)(?![\w…-])", line)}
    assert named <= targets, f"the Makefile has no target {sorted(named - targets)}"


@cache
def options():
    """Return the option names of each `parley` command."""
    (choices,) = (action.choices for action in command_line(COMMANDS)._actions if isinstance(action.choices, dict))
    return {name: {text for one in parser._actions for text in one.option_strings} for name, parser in choices.items()}


def parley_calls(lines):
    """Return command and rest of each call of `parley`, which is a user and a folder in some lines, too."""
    return re.findall(r"(?:^|\s|bin/)(?<!-u )parley ([a-z][\w-]*)([^|;&]*)", lines, re.MULTILINE)


@pytest.mark.parametrize("name", pages())
def test_parley_commands_and_their_options_exist(name):
    for command, rest in parley_calls("\n".join(commands(pages()[name]))):
        assert command in options(), f"there is no command: parley {command}"
        named = set(re.findall(r"(?<!\S)(--?[a-zA-Z][\w-]*)", rest.partition("\n")[0]))
        assert named <= options()[command], f"parley {command} has no {sorted(named - options()[command])}"


@pytest.mark.parametrize("name", pages())
def test_names_with_an_underscore_are_spelt_as_in_the_code(name):
    variables = {spelt for one in (*VARIABLES, *SERVER_VARIABLES) for spelt in (one.name, *one.aliases)}
    words = {word for span in spans(pages()[name]) for word in NAME.findall(span)}
    unknown = {word for word in words - variables - FOREIGN.keys() if not is_spelt(word)}
    assert not unknown, (
        f"{name} names what our code does not: {sorted(unknown)}; mend it, or say whose it is in FOREIGN"
    )


def is_spelt(word):
    """Tell whether our code has a name as a word of its own."""
    placeholder = word.startswith(("YOUR_", "SPEAKER_"))
    return placeholder or word in code_words() or word.removesuffix("_total") in code_words()  # which Prometheus adds


@pytest.mark.parametrize("name", pages())
def test_files_of_ours_are_there(name):
    paths = {span for span in spans(pages()[name]) if span.startswith(OUR_FOLDERS) and re.fullmatch(r"[\w./*-]+", span)}
    missing = {path for path in paths if not any(ROOT.glob(path.rstrip("/")))}
    assert not missing, f"{name} names files that are not there: {sorted(missing)}"


def test_a_name_that_is_not_there_is_found():
    assert is_spelt("JOB_DEADLINE_SECONDS")
    assert not is_spelt("JOB_DEADLINE_MINUTES")
    assert "--speakers" in options()["transcribe"]
    lines = (
        "sudo -u parley sh x\nmake -C /opt/parley install\n.venv/bin/parley up --port 1 | tee x\nsudo -u a parley keys"
    )
    assert parley_calls(lines) == [("up", " --port 1 "), ("keys", "")]
    assert commands("`make demo`\n\n```sh\nparley up \\\n  --port 1  # here\n```\n") == [
        "parley up    --port 1",
        "make demo",
    ]
