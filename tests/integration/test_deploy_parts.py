"""A deployment in a certain order, or only a part of one: quotas, Ctrl-C, tokens that nobody needs."""

import asyncio
import os
import signal
import sys

import pytest

from tests.support.deploy_calls import EXAMPLE, deploy, settings_file
from tests.support.fake_runpod_api import KEY, fake_runpod

ROOT = EXAMPLE.parents[1]


@pytest.fixture(autouse=True)
def shell(monkeypatch):
    monkeypatch.setenv("RUNPOD_API_KEY", KEY)
    monkeypatch.setenv("HUGGINGFACE_ACCESS_TOKEN", "hf_SECRETTOKEN")


def shared_out(path, *most):
    """Write the three endpoints' max_workers into a settings file, in its order."""
    head, *tables = path.read_text(encoding="utf-8").split("max_workers = ")
    changed = [f"{count}{table[1:]}" for count, table in zip(most, tables, strict=False)]
    path.write_text("max_workers = ".join([head, *changed, *tables[len(most) :]]), encoding="utf-8")


@pytest.mark.parametrize("most", [(3, 1, 1), (1, 3, 1), (2, 1, 2), (1, 1, 3)])
async def test_workers_move_from_one_endpoint_to_another_within_a_full_quota(tmp_path, most):
    async with fake_runpod(quota=5) as fake:
        path = settings_file(tmp_path, fake)
        assert (await deploy(path)).error is None
        shared_out(path, *most)
        ran = await deploy(path)
        assert ran.error is None
        assert tuple(one["workers"]["max"] for one in fake.endpoints.values()) == most
        assert all(one["workers"]["idleTimeout"] in (30, 60) for one in fake.endpoints.values())
        assert (await deploy(path, "--dry-run")).out.count("unchanged") == 3


async def test_a_scaler_that_changes_while_its_workers_become_fewer_is_told_first_as_well(tmp_path):
    async with fake_runpod(quota=5) as fake:
        path = settings_file(tmp_path, fake)
        text = path.read_text(encoding="utf-8")
        first, second = text.split("[transcription]", 1)
        counted = second.replace("idle_timeout_s = 30\n", "", 1).replace('"queue_delay"', '"request_count"', 1)
        path.write_text(f"{first}[transcription]{counted}", encoding="utf-8")
        assert (await deploy(path)).error is None
        path.write_text(text, encoding="utf-8")
        shared_out(path, 3, 1, 1)
        assert (await deploy(path)).error is None
        assert fake.there("parley-transcription")["scaling"] == {"type": "QUEUE_DELAY", "queueDelay": 4}


async def test_the_bundled_diarization_is_deployed_without_a_token(tmp_path, monkeypatch):
    monkeypatch.delenv("HUGGINGFACE_ACCESS_TOKEN")
    async with fake_runpod() as fake:
        path = settings_file(tmp_path, fake)
        gated = 'DIARIZATION_MODEL = "pyannote/speaker-diarization-community-1"'
        path.write_text(path.read_text().replace(gated, 'DIARIZATION_MODEL = "bundled"'), encoding="utf-8")
        dry = await deploy(path, "--dry-run")
        assert "warning: [diarization.env] HUGGINGFACE_ACCESS_TOKEN: not set in this shell, and left out" in dry.out
        assert (await deploy(path)).error is None
        assert fake.there("parley-diarization")["env"] == {"DIARIZATION_MODEL": "bundled", "LOG_FORMAT": "json"}


async def test_ctrl_c_says_what_is_done_and_which_ids_there_are(tmp_path):
    async with fake_runpod(hold=2) as fake:
        command = [sys.executable, "-m", "orchestrator.cli", "deploy", "--file", str(settings_file(tmp_path, fake))]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=dict(os.environ), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        await asyncio.wait_for(fake.held.wait(), 60)
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 130
        assert out.decode() == "export DIARIZATION_ENDPOINT_ID=ep1\n"
        assert err.decode().endswith(
            "created parley-diarization (ep1)\n1 of 3 done; the same command goes on from there\ninterrupted\n"
        )


async def test_the_line_of_the_guide_tells_a_failure_and_keeps_the_ids(tmp_path):
    async with fake_runpod(quota=3) as fake:
        command = f'"{sys.executable}" -m orchestrator.cli deploy --file "{settings_file(tmp_path, fake)}"'
        line = f'ids=$({command}) && eval "$ids"; echo "$? $DIARIZATION_ENDPOINT_ID $ids"'
        process = await asyncio.create_subprocess_shell(
            line, cwd=ROOT, env=dict(os.environ), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        assert out.decode() == "1  export DIARIZATION_ENDPOINT_ID=ep1\n"
