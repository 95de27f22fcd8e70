"""`parley deploy` against RunPod's API over real sockets: made once, changed where needed, whatever fails."""

from collections import deque

import pytest

from common.errors import (
    ConfigurationError,
    EndpointAuthError,
    EndpointBusyError,
    EndpointError,
    EndpointUnreachableError,
)
from orchestrator.endpoint_http import NeverSentError
from tests.support.deploy_calls import deploy, settings_file
from tests.support.fake_runpod_api import KEY, fake_runpod

TOKEN = "hf_SECRETTOKEN"
NAMES = ["parley-diarization", "parley-transcription", "parley-orchestrator"]


@pytest.fixture(autouse=True)
def shell(monkeypatch):
    monkeypatch.setenv("RUNPOD_API_KEY", KEY)
    monkeypatch.setenv("HUGGINGFACE_ACCESS_TOKEN", TOKEN)
    monkeypatch.setattr("common.retries.FIRST_BACKOFF_S", 0.001)
    monkeypatch.setattr("common.retries.LAST_BACKOFF_S", 0.002)
    monkeypatch.setattr("orchestrator.deploy.api.LOOKS_S", (0.0, 0.001, 0.001))


def hides_secrets(ran):
    printed = ran.out + ran.err + (ran.error.message if ran.error else "")
    return TOKEN not in printed and KEY not in printed


async def test_three_endpoints_are_made_the_orchestrator_knows_the_others_and_a_second_run_changes_nothing(tmp_path):
    async with fake_runpod() as fake:
        path = settings_file(tmp_path, fake)
        first = await deploy(path)
        assert first.error is None
        assert first.out == (
            "export DIARIZATION_ENDPOINT_ID=ep1\n"
            "export TRANSCRIPTION_ENDPOINT_ID=ep2\n"
            "export ORCHESTRATOR_ENDPOINT_ID=ep3\n"
        )
        assert [one["name"] for one in fake.endpoints.values()] == NAMES
        assert fake.there("parley-orchestrator")["env"] == {
            "DIARIZATION_ENDPOINT_ID": "ep1", "TRANSCRIPTION_ENDPOINT_ID": "ep2", "RUNPOD_API_KEY": KEY,
            "JOB_DEADLINE_SECONDS": "3600", "ORCHESTRATOR_CONCURRENCY": "32", "LOG_FORMAT": "json",
        }  # fmt: skip
        transcription = fake.there("parley-transcription")
        assert transcription["gpu"]["pools"] == ["AMPERE_16", "AMPERE_24", "ADA_24"]
        assert (transcription["timeout"], transcription["flashboot"], transcription["disk"]) == (
            3_600_000,
            "FLASHBOOT",
            20,
        )
        assert transcription["workers"] == {"min": 0, "max": 2, "idleTimeout": 30}
        assert transcription["image"] == "docker.io/ada/parley-transcription:0.1.0"
        second = await deploy(path)
        assert second.out == first.out
        assert [line for line in second.err.splitlines() if line.startswith("unchanged")][:1] == [
            "unchanged parley-diarization (ep1)"
        ]
        assert fake.writes() == ["POST"] * 3
        assert hides_secrets(first)
        assert hides_secrets(second)


async def test_a_dry_run_shows_the_differences_and_changes_nothing(tmp_path, monkeypatch):
    async with fake_runpod() as fake:
        await deploy(settings_file(tmp_path, fake))
        fake.there("parley-diarization")["env"]["THEIRS"] = "kept"
        monkeypatch.setenv("HUGGINGFACE_ACCESS_TOKEN", "hf_NEW")
        path = settings_file(tmp_path, fake, **{"max_workers = 2": "max_workers = 4", "account_workers = 5": ""})
        shown = await deploy(path, "--dry-run")
        assert shown.out == (
            "update parley-diarization (ep1)\n"
            "  max_workers                   2 -> 4\n"
            "  env.HUGGINGFACE_ACCESS_TOKEN  another value -> $HUGGINGFACE_ACCESS_TOKEN of this shell\n"
            "\n"
            "update parley-transcription (ep2)\n"
            "  max_workers  2 -> 4\n"
            "\n"
            "unchanged parley-orchestrator (ep3)\n"
        )
        assert fake.writes() == ["POST"] * 3
        assert (await deploy(path)).error is None
        assert fake.there("parley-diarization")["workers"]["max"] == 4
        assert fake.there("parley-diarization")["env"] == {
            "DIARIZATION_MODEL": "pyannote/speaker-diarization-community-1", "HUGGINGFACE_ACCESS_TOKEN": "hf_NEW",
            "LOG_FORMAT": "json", "THEIRS": "kept",
        }  # fmt: skip


async def test_the_combined_worker_answers_in_the_orchestrators_place(tmp_path):
    async with fake_runpod() as fake:
        changes = {'["diarization", "transcription", "orchestrator"]': '["combined"]'}
        ran = await deploy(settings_file(tmp_path, fake, **changes))
        assert ran.out == "export ORCHESTRATOR_ENDPOINT_ID=ep1\n"
        assert [one["name"] for one in fake.endpoints.values()] == ["parley-combined"]


async def test_endpoints_are_found_on_any_page(tmp_path):
    async with fake_runpod(page_size=1) as fake:
        path = settings_file(tmp_path, fake)
        await deploy(path)
        await deploy(path)
        assert len(fake.endpoints) == 3


@pytest.mark.parametrize(("fault", "asked"), [("cut", 3), ("mute", 3), ("late", 3), (429, 4)])
async def test_a_lost_answer_makes_no_second_endpoint(tmp_path, fault, asked):
    async with fake_runpod() as fake:
        fake.faults = {"POST": deque([fault])}
        ran = await deploy(settings_file(tmp_path, fake))
        assert ran.error is None
        assert sorted(one["name"] for one in fake.endpoints.values()) == sorted(NAMES)
        assert fake.writes().count("POST") == asked


@pytest.mark.parametrize("fault", ["lost", 500, 503])
async def test_what_may_have_been_made_is_never_asked_for_again_by_itself(tmp_path, fault):
    async with fake_runpod() as fake:
        path = settings_file(tmp_path, fake)
        fake.faults = {"POST": deque([fault])}
        ran = await deploy(path)
        assert type(ran.error) is EndpointUnreachableError
        assert "it is unknown whether it makes parley-diarization. Look at the console" in ran.error.message
        assert fake.writes() == ["POST"]
        assert (await deploy(path)).error is None
        assert [one["name"] for one in fake.endpoints.values()] == NAMES


async def test_a_list_that_fails_while_it_is_looked_for_is_asked_for_again(tmp_path, monkeypatch):
    monkeypatch.setattr("orchestrator.deploy.api.ATTEMPTS", 1)
    async with fake_runpod() as fake:
        fake.faults = {"POST": deque(["cut"]), "GET": deque([0, 503, "lost"])}
        ran = await deploy(settings_file(tmp_path, fake))
        assert ran.error is None
        assert len(fake.endpoints) == 3


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_what_may_be_asked_twice_is_asked_again(tmp_path, method):
    async with fake_runpod() as fake:
        await deploy(settings_file(tmp_path, fake))
        fake.faults = {method: deque(["lost", 503, 429])}
        ran = await deploy(settings_file(tmp_path, fake, **{"idle_timeout_s = 60": "idle_timeout_s = 61"}))
        assert ran.error is None
        assert fake.there("parley-orchestrator")["workers"]["idleTimeout"] == 61


async def test_after_a_failure_the_same_command_goes_on(tmp_path):
    async with fake_runpod(quota=3) as fake:
        path = settings_file(tmp_path, fake)
        failed = await deploy(path)
        assert type(failed.error) is EndpointError
        assert "must not exceed your workers quota (3)" in failed.error.message
        assert "created parley-diarization (ep1)\n1 of 3 done; the same command goes on from there\n" in failed.err
        assert failed.out == "export DIARIZATION_ENDPOINT_ID=ep1\n"
        fake.quota = 10
        assert (await deploy(path)).error is None
        assert len(fake.endpoints) == 3
        assert hides_secrets(failed)


async def test_too_many_workers_are_told_before(tmp_path):
    async with fake_runpod() as fake:
        other = {"id": "other", "name": "somebody-else", "workers": {"min": 0, "max": 2}}
        fake.endpoints["other"] = other
        ran = await deploy(settings_file(tmp_path, fake), "--dry-run")
        assert "may have 7 workers then, more than account_workers (5)" in ran.out


async def test_a_key_that_is_refused_says_what_it_needs(tmp_path, monkeypatch):
    async with fake_runpod() as fake:
        monkeypatch.setenv("RUNPOD_API_KEY", "rpa_other")
        ran = await deploy(settings_file(tmp_path, fake))
        assert type(ran.error) is EndpointAuthError
        assert "RunPod's API refuses RUNPOD_API_KEY (401: invalid api key); it needs to read and" in ran.error.message
        assert len(fake.asked) == 1


@pytest.mark.parametrize(
    ("fault", "kind"), [(500, EndpointUnreachableError), (429, EndpointBusyError), (422, EndpointError)]
)
async def test_what_the_api_says_is_passed_on_without_secrets(tmp_path, fault, kind):
    async with fake_runpod() as fake:
        fake.faults = {"POST": deque([fault] * 4)}
        ran = await deploy(settings_file(tmp_path, fake))
        assert type(ran.error) is kind
        assert hides_secrets(ran)
        if fault != 429:
            assert f"({fault}: out of order for" in ran.error.message
        assert fake.writes() == ["POST"] * (4 if fault == 429 else 1)


async def test_nobody_there_is_told(tmp_path):
    async with fake_runpod() as fake:
        path = settings_file(tmp_path, fake)
    ran = await deploy(path)
    assert type(ran.error) is NeverSentError
    assert ran.error.message == "RunPod's API cannot be reached; check the network"


async def test_something_else_there_is_told(tmp_path):
    async with fake_runpod() as fake:
        path = settings_file(tmp_path, fake)
        path.write_text(path.read_text().replace("/v2", "/v1"))
        ran = await deploy(path)
        assert ran.error.code == "not_found"


@pytest.mark.parametrize("missing", ["RUNPOD_API_KEY", "HUGGINGFACE_ACCESS_TOKEN"])
async def test_nothing_is_made_while_something_is_missing(tmp_path, monkeypatch, missing):
    monkeypatch.delenv(missing)
    async with fake_runpod() as fake:
        ran = await deploy(settings_file(tmp_path, fake))
        assert type(ran.error) is ConfigurationError
        assert missing in ran.error.message
        assert not fake.writes()


async def test_no_image_of_nobody_is_deployed(tmp_path):
    async with fake_runpod() as fake:
        ran = await deploy(settings_file(tmp_path, fake, **{"docker.io/ada": "docker.io/YOUR_NAME"}))
        assert "the image of diarization" in ran.error.message
        assert not fake.writes()


async def test_a_name_that_no_worker_reads_is_told(tmp_path):
    async with fake_runpod() as fake:
        ran = await deploy(settings_file(tmp_path, fake, TRANSCRIPTION_ENGINE="TRANSCRIPTON_ENGINE"), "--dry-run")
        assert "warning: [transcription.env] TRANSCRIPTON_ENGINE: no setting of Parley" in ran.out
