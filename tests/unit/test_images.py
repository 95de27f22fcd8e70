"""The Dockerfiles: checked as the linter does, alike in what they share, secret-free, and complete."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from handlers.device import NO_TELEMETRY
from tests.support.build_context import BuildContext
from tests.support.clean_root import RELEASE
from tests.support.dockerfile import DOCKERFILES, ROOT, Copy, Run, read_image
from tests.support.optional import needed_program

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
IMAGES = {path: read_image(path) for path in DOCKERFILES}
CONSTRAINTS = (ROOT / "constraints.txt").read_text()
every_image = pytest.mark.parametrize(("path", "image"), IMAGES.items(), ids=lambda one: getattr(one, "name", ""))
of_gpus = pytest.mark.parametrize(
    ("path", "image"),
    [(p, i) for p, i in IMAGES.items() if "MODELS" in i.args],
    ids=lambda one: getattr(one, "name", ""),
)


def runs(image):
    return [step for step in image.steps if isinstance(step, Run)]


def copied(image):
    return [source for step in image.steps if isinstance(step, Copy) for source in step.sources]


def module_file(module):
    return f"{module.replace('.', '/')}.py"


def test_the_linter_finds_nothing(monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    needed_program("hadolint")
    done = subprocess.run(["hadolint", *DOCKERFILES], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_there_is_one_image_for_each_worker_and_their_bases_are_the_same():
    modules = {image.command[2] for image in IMAGES.values()}
    workers = {f"handlers.{name}.handler" for name in ("diarization", "transcription", "combined")}
    assert modules == workers | {"orchestrator.handler"}
    assert {image.base for image in IMAGES.values()} == {f"python:3.11-slim-{RELEASE}"}


def test_all_install_alike():
    makefile = (ROOT / "Makefile").read_text()
    (installed,) = {tuple(step.command for step in runs(image)[:2]) for image in IMAGES.values()}
    assert re.search(r"pip install .*--constraint constraints.txt uv\s+&&", installed[1])
    assert "uv pip install" in installed[1]
    assert "--constraint constraints.txt" in re.search(r"^PIP := (.*)$", makefile, re.MULTILINE)[1]
    assert installed[1].count("pip install") == installed[1].count("--constraint constraints.txt")
    assert "\nuv==" in CONSTRAINTS


@every_image
def test_no_other_step_installs_and_nothing_stays_in_a_cache(path, image):
    assert all(
        "--no-cache" in part for step in runs(image) for part in step.command.split("&&") if "pip install" in part
    )
    assert all("pip install" not in step.command for step in runs(image)[2:])
    assert set(image.args["EXTRAS"].split()) <= set(EXTRAS)


@every_image
def test_the_worker_is_nobody_special_and_its_files_are_not_its_own(path, image):
    assert image.user == "1000"
    assert "--uid 1000" in runs(image)[0].command
    assert all(step.user == "0" for step in runs(image) if "compileall" in step.command)


@every_image
def test_no_variable_has_a_secret(path, image):
    names = {*image.args, *image.env}
    assert not [name for name in names if re.search("TOKEN|KEY|SECRET|PASSWORD|CREDENTIAL", name)]
    assert not re.search(r"hf_[A-Za-z0-9]{8}|rpa_[A-Za-z0-9]{8}", path.read_text())


@every_image
def test_dependencies_come_before_the_code_that_changes_more_often(path, image):
    places = {source: at for at, step in enumerate(image.steps) if isinstance(step, Copy) for source in step.sources}
    install = image.steps.index(runs(image)[1])
    assert places["constraints.txt"] < install < places["common"]
    models = [at for at, step in enumerate(image.steps) if isinstance(step, Run) and "hf download" in step.command]
    assert all(install < at < places["common"] for at in models)


@every_image
def test_the_builder_is_sent_what_is_copied_and_no_more(path, image):
    context = BuildContext(ROOT)
    for source in copied(image):
        assert list(context.files(source)), source
    assert not [name for name in (".git", ".env", ".venv", "tests", "docs", "benchmarks") if context.is_sent(name)]


def test_the_builder_is_not_sent_what_lies_about(tmp_path):
    (tmp_path / ".dockerignore").write_text((ROOT / ".dockerignore").read_text())
    for name in (".env", "common/.env.local", "handlers/__pycache__/a.pyc", "meeting.wav", "common/kept.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    context = BuildContext(tmp_path)
    assert [str(file) for name in ("common", "handlers") for file in context.files(name)] == ["common/kept.py"]
    assert not context.is_sent("meeting.wav")
    assert not context.is_sent(".env")


@every_image
def test_what_the_command_imports_is_copied(path, image):
    """Each module of the project that the command's module imports, at any depth and in any function, is there."""
    (python, flag, module), folders = image.command, [source for source in copied(image) if (ROOT / source).is_dir()]
    assert (python, flag) == ("python", "-m")
    left, seen = [module], set()
    while left:
        name = left.pop()
        seen.add(name)
        left += [one for one in imported(name) if one not in seen]
    assert {name.partition(".")[0] for name in seen} == set(folders)
    readable, compiled = runs(image)[-1].command.split(" && ")
    assert readable.split() == ["chmod", "-R", "a+rX", *folders]  # whatever the checkout's own modes are
    assert compiled.split() == ["python", "-m", "compileall", "-q", *folders]


def imported(module):
    """Yield the project's modules that `module` names in its import statements."""
    file = ROOT / module_file(module)
    text = (file if file.is_file() else ROOT / module.replace(".", "/") / "__init__.py").read_text()
    for parent, names in re.findall(
        r"^\s*from ((?:common|handlers|orchestrator)[\w.]*) import (.*)", text, re.MULTILINE
    ):
        yield parent
        yield from (
            f"{parent}.{name}"
            for name in re.findall(r"\w+", names)
            if (ROOT / module_file(f"{parent}.{name}")).is_file()
        )
    yield from re.findall(r"^\s*import ((?:common|handlers|orchestrator)[\w.]*)", text, re.MULTILINE)


@of_gpus
def test_models_are_asked_for_with_a_token_that_is_nowhere_but_in_that_step(path, image):
    (step,) = [step for step in runs(image) if step.secrets]
    assert [dict(secret) for secret in step.secrets] == [{"id": "hf_token", "uid": image.user}]
    assert step.user == image.user
    assert "HF_TOKEN_PATH=/run/secrets/hf_token" in step.command
    assert image.args["MODELS"] == ""
    assert image.env["HF_HOME"].startswith("/home/parley/")


@of_gpus
def test_no_package_reports_to_its_maker(path, image):
    assert NO_TELEMETRY.items() <= image.env.items()


@of_gpus
def test_the_least_cuda_is_that_of_torchs_wheels(path, image):
    (major,) = set(re.findall(r"^nvidia-cublas-cu(\d+)==", CONSTRAINTS, re.MULTILINE))
    assert image.env["RUNPOD_MIN_CUDA_VERSION"] == f"{major}.0"


@every_image
def test_it_says_what_it_is(path, image):
    assert set(image.labels) == {f"org.opencontainers.image.{name}" for name in ("title", "licenses", "description")}
    assert image.labels["org.opencontainers.image.licenses"] == "MIT"
    assert "LICENSE" in copied(image)


CHECK = """
import psutil
from types import SimpleNamespace
GB = 1024**3
psutil.virtual_memory = lambda: SimpleNamespace(total=2 * GB, available=1.2 * GB, percent=40.0)
from runpod.serverless.modules import rp_system_fitness
rp_system_fitness._check_memory_availability()
"""


@pytest.mark.parametrize(("of_image", "code"), [(True, 0), (False, 1)])
def test_a_cpu_worker_of_two_gigabytes_passes_the_sdks_check_of_memory(of_image, code):
    env = {name: value for name, value in os.environ.items() if not name.startswith("RUNPOD_")}
    if of_image:
        env |= {k: v for k, v in IMAGES[ROOT / "Dockerfile.orchestrator"].env.items() if k.startswith("RUNPOD_")}
    done = subprocess.run([sys.executable, "-c", CHECK], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert ("Insufficient memory" in done.stderr) is not of_image


@pytest.mark.parametrize(
    "line",
    ["HEALTHCHECK NONE", "RUN --network=none ls", "COPY --chown=1 a b", "ARG TOKEN", "ENV A ${B:-c}", "CMD python x"],
)
def test_what_the_reader_does_not_understand_it_refuses(line, tmp_path):
    (tmp_path / "Dockerfile").write_text(f"FROM base\n{line}\n")
    with pytest.raises(ValueError):  # noqa: PT011 - json's own, for one
        read_image(tmp_path / "Dockerfile")
