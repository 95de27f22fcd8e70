"""An orchestrator that RunPod's API does not make, or not on CPUs: the rest goes on, and it is said what to do."""

import pytest

from common.errors import ConfigurationError, EndpointError
from tests.support.deploy_calls import deploy, settings_file
from tests.support.fake_runpod_api import DEFAULTS, KEY, fake_runpod

GPU_IDS = "export DIARIZATION_ENDPOINT_ID=ep1\nexport TRANSCRIPTION_ENDPOINT_ID=ep2\n"
BY_HAND = 'make it by hand once, under this name (docs/deploy.md, "An orchestrator by hand")'
CPU = [{"id": "cpu3c", "vcpuCount": 2, "memory": 4}]


@pytest.fixture(autouse=True)
def shell(monkeypatch):
    monkeypatch.setenv("RUNPOD_API_KEY", KEY)
    monkeypatch.setenv("HUGGINGFACE_ACCESS_TOKEN", "hf_SECRETTOKEN")


def by_hand(fake):
    """Make the orchestrator as somebody in the console does: its name and its machine, nothing else."""
    made = {**DEFAULTS, "id": "hand", "name": "parley-orchestrator -fb", "type": "QUEUE", "env": {}, "cpu": CPU,
            "image": "docker.io/ada/parley-orchestrator:0.1.0", "workers": {"min": 0, "max": 3, "idleTimeout": 5},
            "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4}}  # fmt: skip
    fake.endpoints["hand"] = made


async def test_where_cpus_are_refused_the_others_are_made_and_the_way_out_is_named(tmp_path):
    async with fake_runpod(cpus="refused") as fake:
        ran = await deploy(settings_file(tmp_path, fake))
        assert type(ran.error) is EndpointError
        assert "parley-orchestrator was not made: RunPod's API refuses that (422: Request val" in ran.error.message
        assert "unexpected property cpu" in ran.error.message
        assert BY_HAND in ran.error.message
        assert ran.out == GPU_IDS
        assert "created parley-transcription (ep2)\n2 of 3 done" in ran.err


async def test_an_endpoint_that_came_out_on_gpus_is_noticed_and_blocks_no_later_run(tmp_path):
    async with fake_runpod(cpus="gpus") as fake:
        path = settings_file(tmp_path, fake)
        ran = await deploy(path)
        assert "made parley-orchestrator (ep3) with GPUs; delete it in the console, make it by" in ran.error.message
        assert ran.out == GPU_IDS
        path.write_text(path.read_text().replace("idle_timeout_s = 30", "idle_timeout_s = 31"))
        dry = await deploy(path, "--dry-run")
        assert dry.error is None
        assert "blocked parley-orchestrator (ep3)\n  problem  parley-orchestrator runs on GPUs" in dry.out
        again = await deploy(path)
        assert type(again.error) is ConfigurationError
        assert fake.there("parley-transcription")["workers"]["idleTimeout"] == 31
        assert again.out == GPU_IDS
        assert fake.writes() == ["POST"] * 3 + ["PATCH"] * 2


async def test_one_made_by_hand_is_adopted_with_its_environment(tmp_path):
    async with fake_runpod() as fake:
        by_hand(fake)
        ran = await deploy(settings_file(tmp_path, fake, **{', { id = "cpu5c", vcpus = 2 }': ""}))
        assert ran.error is None
        assert ran.out == f"{GPU_IDS}export ORCHESTRATOR_ENDPOINT_ID=hand\n"
        assert fake.endpoints["hand"]["env"]["TRANSCRIPTION_ENDPOINT_ID"] == "ep2"
        assert fake.endpoints["hand"]["workers"]["max"] == 1


async def test_where_changes_are_refused_it_is_said_what_to_set_by_hand(tmp_path):
    async with fake_runpod(cpus="refused") as fake:
        by_hand(fake)
        path = settings_file(tmp_path, fake, **{', { id = "cpu5c", vcpus = 2 }': ""})
        ran = await deploy(path)
        assert type(ran.error) is EndpointError
        assert "was not changed: RunPod's API refuses that (400: gpuId(s) is required" in ran.error.message
        for row in ("max_workers = 1; ", "env.DIARIZATION_ENDPOINT_ID = ep1; ", "env.TRANSCRIPTION_ENDPOINT_ID = ep2; ",
                    "env.RUNPOD_API_KEY = $RUNPOD_API_KEY of this shell; "):  # fmt: skip
            assert row in ran.error.message
        assert KEY not in ran.error.message
        assert ran.out == f"{GPU_IDS}export ORCHESTRATOR_ENDPOINT_ID=hand\n"


async def test_a_quota_is_not_taken_for_a_want_of_cpus(tmp_path):
    async with fake_runpod(quota=4) as fake:
        ran = await deploy(settings_file(tmp_path, fake))
        assert ran.error.message.startswith("RunPod's API refuses that (400: Max workers across all")
        assert "by hand" not in ran.error.message
        assert ran.out == GPU_IDS


async def test_no_other_endpoint_may_be_of_the_wrong_kind(tmp_path):
    async with fake_runpod() as fake:
        by_hand(fake)
        fake.endpoints["hand"]["name"] = "parley-transcription"
        ran = await deploy(settings_file(tmp_path, fake))
        assert "parley-transcription runs on CPUs, the settings file wants GPUs" in ran.error.message
        assert not fake.writes()
