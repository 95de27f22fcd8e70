"""Requests made up from the OpenAPI document: none crashes the server, and every answer is as documented."""

import contextlib
import json
import re

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from common.errors import AudioUrlError
from orchestrator.server import work
from tests.support.server_app import running_server

EXAMPLES = 5
OFTEN = "1000000/minute"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]


async def fetch_nothing(*_, **__):
    raise AudioUrlError("tests fetch nothing", param="audio")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with (
        pytest.MonkeyPatch.context() as patched,
        running_server(folder, RATE_LIMIT=OFTEN, UPLOAD_RATE_LIMIT=OFTEN, MAX_QUEUED_JOBS_PER_KEY="200") as running,
    ):
        patched.setattr(work, "fetch_audio", fetch_nothing)
        yield running


@pytest.fixture(scope="module")
def job_id(server):
    made = server.client().post("/api/upload", files={"file": ("talk.wav", b"RIFF")}).json()["job_id"]
    server.ended(made)
    return made


@pytest.fixture(scope="module")
def api(server):
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


def calls_of(operation, mode, job_id):
    """A test of one operation with requests that its schemas allow, or that they do not."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def call(case):
        case.call_and_validate(checks=CHECKS)
        if "job_id" in (case.path_parameters or {}) and case.method != "DELETE":
            case.path_parameters["job_id"] = job_id
            case.call_and_validate(checks=CHECKS)

    return call


# the server runs in this process, where its threads draw random numbers meanwhile
@pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_answers_are_as_the_document_says(api, job_id, mode):
    labels = []
    for result in api.get_all_operations():
        operation = result.ok()
        labels.append(operation.label)
        with contextlib.suppress(Unsatisfiable):  # there is no wrong request to GET /health
            calls_of(operation, mode, job_id)()
    assert {"POST /api/upload", "GET /api/results/{job_id}", "POST /v1/audio/transcriptions"} <= set(labels)


def test_the_document_refers_to_nothing_that_is_not_in_it(server):
    text = server.client().get("/openapi.json").text
    schemas = json.loads(text)["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/(\w+)"', text)) == set(schemas)
    assert "HTTPValidationError" not in schemas
