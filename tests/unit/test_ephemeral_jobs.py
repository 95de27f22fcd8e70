"""How a job that lives as long as its request ends, where that is not with a result."""

import json
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from common.errors import InputTooLargeError, JobNotFoundError
from orchestrator.server.http.ephemeral import _erase, refusal, stored_result
from tests.support.server_documents import job_of


def test_a_job_with_a_result_is_not_refused():
    assert refusal(job_of(state="completed", result="results/a.json")) is None


@pytest.mark.parametrize(
    ("job", "status", "code"),
    [
        (job_of(state="cancelled"), 409, "cancelled"),
        (job_of(state="failed", error=InputTooLargeError("too long").envelope()), 413, "input_too_large"),
        (job_of(state="failed"), 500, "internal_error"),
    ],
)
def test_a_job_without_a_result_says_why(job, status, code):
    answer = refusal(job)
    assert (answer.status_code, json.loads(bytes(answer.body))["error"]["code"]) == (status, code)


def test_a_result_that_was_erased():
    with pytest.raises(JobNotFoundError, match="erased"):
        stored_result(SimpleNamespace(), job_of(state="completed"))


@pytest.mark.parametrize(
    ("error", "logged"),
    [(OperationalError("…", {}, Exception()), True), (JobNotFoundError("it was erased"), False)],
)
async def test_a_job_that_cannot_be_erased_now_is_the_janitors(error, logged, caplog):
    def erase(job_id, *, owner):
        raise error

    with caplog.at_level("INFO"):
        await _erase(SimpleNamespace(store=SimpleNamespace(erase=erase), files=None), job_of())
    assert ("job_not_erased_yet" in caplog.text) is logged
