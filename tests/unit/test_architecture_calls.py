"""The dotted arrows of docs/architecture.md are exactly the calls over the network that the code has between parts."""

import json
import re

import pytest

from orchestrator.local.stack import WORKER_MODULES
from tests.support.architecture_diagram import DIAGRAM, part_of_module, parts
from tests.support.markdown_pages import ROOT

# What the code of a caller and of who is called has of each way between them, and no other code.
TRACES = {
    "/api": (r'["`]api/', r'@router\.\w+\(\s*"/api/'),
    "/v2": (r"\{base_url[^}]*\}/\{endpoint_id\}", r'add_subapp\("/v2"'),
    "Redis": (r"\bfields=job_fields\(", r"\binput\": called_with\("),
    "jobs": (r'"RUNPOD_WEBHOOK_GET_JOB":', r"^ +serve(?:_worker)?\("),
}


def having(trace):
    """Return the parts whose code has a trace."""
    texts = ((part, (ROOT / path).read_text(encoding="utf-8")) for path, part in parts().items() if part != "common")
    return {part for part, text in texts if re.search(trace, text, flags=re.MULTILINE)}


def modules_of_images():
    """Return the module that each image starts."""
    images = [*ROOT.glob("Dockerfile.*"), ROOT / ".runpod" / "Dockerfile"]
    commands = [re.search(r"^CMD (\[.+\])$", image.read_text(encoding="utf-8"), flags=re.MULTILINE) for image in images]
    return [json.loads(command[1])[2] for command in commands]


def test_the_dotted_arrows_are_the_calls_of_the_code():
    found = {(one, way, other) for way, (near, far) in TRACES.items() for one in having(near) for other in having(far)}
    shared = {("platform", "jobs", "shared")}  # `serve_worker`, for all workers
    assert found - shared == DIAGRAM.calls


@pytest.mark.parametrize("way", TRACES)
def test_each_way_has_one_caller(way):
    assert len(having(TRACES[way][0])) == 1


def test_jobs_go_to_what_the_images_and_the_local_platform_start():
    fed = {called for _, way, called in DIAGRAM.calls if way == "jobs"}
    assert {part_of_module(module) for module in modules_of_images()} == fed
    assert {part_of_module(module) for module in WORKER_MODULES.values()} == fed - {"combined"}
    assert len(modules_of_images()) == 4


def test_redis_jobs_go_to_what_the_worker_command_starts():
    started = re.findall(r'"-m", "([\w.]+)"', (ROOT / "orchestrator" / "cli_server.py").read_text(encoding="utf-8"))
    assert {part_of_module(module) for module in started} == {
        called for _, way, called in DIAGRAM.calls if way == "Redis"
    }
