"""The doctor's questions to the hub, with the hub's real error mapping and no network."""

import sys

import pytest

pytest.importorskip("huggingface_hub")

import huggingface_hub
from huggingface_hub import errors

from orchestrator.doctor_hub import ANSWER_TIMEOUT_S, HuggingFaceHub
from tests.support.hub_cache import lay_out

Response = errors.Response


class Session:
    def __init__(self, answer):
        self.answer = answer
        self.calls = []

    def get(self, url, *, headers, timeout):
        self.calls.append((url, headers.get("authorization"), timeout))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def response(status, **headers):
    request = sys.modules[Response.__module__.partition(".")[0]].Request("GET", "https://hf.co/api")
    return Response(status, headers=headers, request=request, json={})


def access(monkeypatch, answer, token=""):
    session = Session(answer)
    monkeypatch.setattr("huggingface_hub.utils.get_session", lambda: session)
    return HuggingFaceHub().access("org/name", token=token), session.calls


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (response(200), "granted"),
        (response(403, **{"X-Error-Code": "GatedRepo"}), "gated"),
        (response(404, **{"X-Error-Code": "RepoNotFound"}), "unknown"),
        (response(401, **{"X-Error-Message": "Invalid credentials in Authorization header"}), "bad_token"),
        (response(503), "unreachable"),
        (OSError("no route"), "unreachable"),
        (errors.HTTPError("cut"), "unreachable"),
        (errors.OfflineModeIsEnabled("offline"), "unreachable"),
    ],
)
def test_what_the_hub_answers_is_put_into_a_word(monkeypatch, answer, expected):
    assert access(monkeypatch, answer)[0] == expected


def test_it_is_asked_with_the_token_and_a_short_timeout(monkeypatch):
    url = "https://huggingface.co/api/models/org/name/auth-check"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://huggingface.co")
    assert access(monkeypatch, response(200), token="hf_x")[1] == [(url, "Bearer hf_x", ANSWER_TIMEOUT_S)]
    assert access(monkeypatch, response(200))[1] == [(url, None, ANSWER_TIMEOUT_S)]


def test_the_stored_login_is_used(monkeypatch):
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_stored")
    assert HuggingFaceHub().stored_token() == "hf_stored"
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    assert HuggingFaceHub().stored_token() == ""


def test_the_cache_is_asked_for_all_files_without_network(monkeypatch, tmp_path):
    asked = []

    def snapshot_download(repo_id, **options):
        asked.append((repo_id, options))
        if repo_id == "org/none":
            raise errors.LocalEntryNotFoundError("none")
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert HuggingFaceHub().cached("org/name", ("*.nemo",)) == tmp_path
    assert HuggingFaceHub().cached("org/none", ("*.nemo",)) is None
    assert asked[0] == ("org/name", {"allow_patterns": ["*.nemo"], "local_files_only": True})


def test_a_pinned_commit_in_the_cache_counts_without_refs_main(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    pinned = lay_out(tmp_path, "org/name", {"a.nemo": b"weights"})
    (pinned.parents[1] / "refs" / "main").unlink()
    assert HuggingFaceHub().cached("org/name", ("*.nemo",)) == pinned
    assert HuggingFaceHub().cached("org/other", ("*.nemo",)) is None


def test_an_interrupted_download_in_the_cache_does_not_count(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    snapshot = lay_out(tmp_path, "org/name", {"a.nemo": b"weights", "b.nemo": b"more"})
    assert HuggingFaceHub().cached("org/name", ("*.nemo",)) == snapshot
    (snapshot / "b.nemo").unlink()
    assert HuggingFaceHub().cached("org/name", ("*.nemo",)) is None


def test_a_machine_without_the_client_is_told_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    hub = HuggingFaceHub()
    assert (hub.access("org/name", token=""), hub.cached("org/name", ()), hub.stored_token()) == ("no_client", None, "")
