import json

import pytest

from common import errors
from common.errors import (
    DeviceLostError,
    EndpointError,
    EngineError,
    InvalidInputError,
    ParleyError,
    UnknownFieldError,
    blames_the_request,
    http_error,
    parse_runpod_error,
    runpod_error,
)


def all_kinds(kind=ParleyError):
    return {kind} | {found for child in kind.__subclasses__() for found in all_kinds(child)}


def test_the_tree_drawn_at_the_top_is_the_tree_there_is():
    drawn = {word for word in errors.__doc__.replace("─", " ").split() if word.endswith("Error")}
    assert drawn == {kind.__name__ for kind in all_kinds() if kind.__module__ == errors.__name__}


def test_codes_tell_errors_apart():
    codes = [kind.code for kind in all_kinds() if kind.__module__ == errors.__name__]
    assert len(codes) == len(set(codes))


def test_runpod_gets_one_json_string():
    error = UnknownFieldError("unknown field 'x'", param="x")
    assert json.loads(runpod_error(error)["error"]) == {
        "code": "unknown_field",
        "message": "unknown field 'x'",
        "param": "x",
        "retryable": False,
    }


def test_what_blames_the_request_does_so_also_from_afar():
    remote = {"code": "empty_audio", "message": "no samples"}
    assert blames_the_request(EndpointError("no samples", endpoint="x", remote=remote))
    assert blames_the_request(UnknownFieldError("x"))
    assert not blames_the_request(EndpointError("down", endpoint="x"))


def test_http_gets_the_request_id_too():
    assert http_error(InvalidInputError("no"), request_id="r1")["error"]["request_id"] == "r1"


def test_an_endpoint_error_keeps_the_workers_words():
    remote = {"code": "empty_audio", "message": "no samples", "param": "audio", "retryable": False}
    error = EndpointError("no samples", endpoint="diarization", remote=remote)
    assert error.envelope() == {**remote, "endpoint": "diarization"}
    assert EndpointError("down", endpoint="x").envelope()["code"] == "endpoint_failed"


@pytest.mark.parametrize(
    ("told", "named"), [("diarization", "diarization"), (None, "orchestrator"), (7, "orchestrator")]
)
def test_an_error_from_two_endpoints_away_names_the_one_where_it_happened(told, named):
    remote = {"code": "empty_audio", "message": "no samples", "endpoint": told}
    assert EndpointError("no samples", endpoint="orchestrator", remote=remote).envelope()["endpoint"] == named


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (json.dumps({"code": "c", "message": "m"}), "m"),
        ({"code": "c", "message": "m"}, "m"),
        (json.dumps({"error_type": "T", "error_message": "boom", "error_traceback": "/path"}), "boom"),
        ("plain words", "plain words"),
        ("[1, 2]", "[1, 2]"),
        (None, "the worker failed without a message"),
        ("", "the worker failed without a message"),
        (json.dumps({"code": ["c"], "message": "m"}), "the worker failed without a message"),
        ('Traceback:\n  File "/secret/path.py"\nOSError: /secret/a.wav', "OSError: …"),
        ("GET https://host/x?sig=abc failed", "GET https://… failed"),
        (json.dumps({"other": 1}), "the worker failed without a message"),
    ],
)
def test_errors_of_any_worker_are_read(raw, message):
    assert parse_runpod_error(raw)["message"] == message


def test_a_lost_gpu_asks_for_another_worker():
    answer = runpod_error(DeviceLostError("the GPU stopped answering"))
    assert answer["refresh_worker"] is True
    assert json.loads(answer["error"])["code"] == "device_lost"
    assert "refresh_worker" not in runpod_error(EngineError("failed"))
