"""RunPod jobs whose audio is in the request: seconds of a tone, as a base64 WAV."""

import base64
import io

import numpy as np
import soundfile

SAMPLE_RATE = 16_000


def tone(seconds: float) -> np.ndarray:
    """Mono 16 kHz float32 samples of a quiet 220 Hz tone."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.1 * np.sin(2 * np.pi * 220 * times)).astype(np.float32)


def wav_base64(samples: np.ndarray) -> str:
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return base64.b64encode(file.getvalue()).decode()


def job(seconds: float = 2.0, job_id: str = "job-1", **fields) -> dict:
    return {"id": job_id, "input": {"audio": wav_base64(tone(seconds)), **fields}}
