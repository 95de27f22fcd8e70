"""The workers that the laptop's stack leaves out, each in the real RunPod loop: Parakeet, and both models in one."""

import base64
import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from common.results import OrchestrationResult
from orchestrator.demo_score import cp_word_error_rate
from orchestrator.endpoints import RunPodEndpoint
from orchestrator.local.platform import LocalPlatform, PlatformSettings
from orchestrator.local.supervisor import Supervisor, WorkerCommand

FIXTURE = Path(__file__).parent.parent / "fixtures" / "tiny_parakeet"


@asynccontextmanager
async def worker(name, module, log_folder, **env):
    """One endpoint with one real worker."""
    settings = PlatformSettings(api_key="key")
    full_env = {**os.environ, "PARLEY_PROFILE": "laptop", **env}
    command = WorkerCommand(endpoint_id=name, argv=(sys.executable, "-m", module), env=full_env)
    async with (
        LocalPlatform([name], settings) as platform,
        Supervisor(platform, [command], log_folder=log_folder) as supervisor,
        aiohttp.ClientSession() as session,
    ):
        await supervisor.wait_ready(240)
        yield RunPodEndpoint(name=name, endpoint_id=name, base_url=platform.base_url, api_key="key", session=session)


def embedded(path):
    return base64.b64encode(Path(path).read_bytes()).decode()


async def test_parakeet_hears_the_words_and_merges_the_turns(tmp_path):
    truth = json.loads((FIXTURE / "clip.json").read_text())
    turns = [{key: turn[key] for key in ("start", "end", "speaker")} for turn in truth["turns"]]
    env = {"TRANSCRIPTION_ENGINE": "parakeet", "MODEL_ID": str(FIXTURE / "tiny-parakeet-tdt.nemo")}
    async with worker("transcription", "handlers.transcription.handler", tmp_path, **env) as endpoint:
        audio = embedded(FIXTURE / "clip.flac")
        asked = {"audio": audio, "response_format": "verbose_json", "diarization_segments": turns}
        answer = (await endpoint.run(asked, deadline_s=120)).output
        chunked = (await endpoint.run({**asked, "chunk_duration": 8.0}, deadline_s=120)).output
    assert answer["model"] == "tiny-parakeet-tdt"
    for heard in (answer, chunked):
        for speaker in ("A", "B"):
            said = " ".join(turn["text"] for turn in truth["turns"] if turn["speaker"] == speaker)
            words = " ".join(word["word"] for word in heard["words"] if word["speaker"] == speaker)
            assert cp_word_error_rate({speaker: said}, {speaker: words}) <= 0.1, words


async def test_the_combined_worker_answers_as_the_orchestrator_does(tmp_path, sample):
    async with worker("combined", "handlers.combined.handler", tmp_path) as endpoint:
        asked = {"audio": embedded(sample), "response_format": "verbose_json", "return_embeddings": True}
        answer = (await endpoint.run(asked, deadline_s=120)).output
    result = OrchestrationResult.model_validate(answer)
    assert "originally from Chicago" in result.text
    assert result.speakers == ["SPEAKER_00", "SPEAKER_01"]
    assert result.diarization == "completed"
    assert set(result.embeddings) == {"SPEAKER_00", "SPEAKER_01"}
    assert set(result.models) == {"diarization", "transcription"}
