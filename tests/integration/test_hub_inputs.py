"""What the RunPod SDK tries a worker with: one recording, which is there, in a request that each worker takes."""

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from runpod.serverless.modules.rp_local import run_local

from common.audio.decode import decode_audio
from common.audio.inline import inline_bytes
from common.audio.job_folder import job_folder
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.contract import DiarizationRequest, OrchestrationRequest, TranscriptionRequest, parse_request
from handlers.worker import Worker
from tests.support.pyannote_sample import sample_audio

ROOT = Path(__file__).resolve().parents[2]
INPUTS = {
    "handlers/diarization": DiarizationRequest,
    "handlers/transcription": TranscriptionRequest,
    "handlers/combined": OrchestrationRequest,
    "orchestrator": OrchestrationRequest,
}
LIMITS = AudioLimits()
CLIP_S = (5.9, 11.1)  # of the sample of pyannote.audio


def read(name):
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("folder", "kind"), INPUTS.items())
def test_a_test_input_is_a_request_with_two_people_talking(folder, kind):
    given = read(f"{folder}/test_input.json")
    assert list(given) == ["input"]
    request = parse_request(kind, given["input"])
    with job_folder() as job:
        path = job / "clip"
        path.write_bytes(inline_bytes(request.audio, limits=LIMITS))
        samples = decode_audio(path, limits=LIMITS)
    clip = sample_audio()[int(CLIP_S[0] * SAMPLE_RATE) : int(CLIP_S[1] * SAMPLE_RATE)]
    length = min(len(samples), len(clip))
    assert abs(len(samples) - len(clip)) < SAMPLE_RATE / 10
    assert np.corrcoef(samples[:length], clip[:length])[0, 1] > 0.9


def test_the_sdk_tries_a_worker_with_the_file_in_its_folder(monkeypatch, capsys):
    monkeypatch.chdir(ROOT / "handlers" / "diarization")

    async def no_progress(job, progress):
        pass

    worker = Worker(
        name="diarization",
        request_type=DiarizationRequest,
        infer=lambda request, samples, tick: {"speakers": request.num_speakers, "seconds": len(samples) / SAMPLE_RATE},
        limits=LIMITS,
        post_progress=no_progress,
    )
    with pytest.raises(SystemExit) as ended:
        asyncio.run(run_local({"handler": worker, "rp_args": {}}))
    assert ended.value.code == 0
    assert "'speakers': 2, 'seconds': 5.2" in capsys.readouterr().out
