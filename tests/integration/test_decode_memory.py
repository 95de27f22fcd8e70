import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from common.audio.limits import SAMPLE_RATE
from tests.support.audio_files import melody, pyav_bytes, soundfile_bytes

HOURS_3 = 3 * 3600
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory mark from /proc")


def decoded_apart(path):
    """Decode in a process of its own; returns (seconds of audio, peak bytes)."""
    command = [sys.executable, "-m", "tests.support.memory_probe", str(path)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    samples, peak = map(int, answer.stdout.split())
    return samples / SAMPLE_RATE, peak


def test_three_hours_of_telephone_wav_take_little_more_than_the_result(tmp_path):
    path = tmp_path / "audio"
    with soundfile.SoundFile(path, "w", samplerate=8_000, channels=1, format="WAV", subtype="ULAW") as file:
        minute = np.tile(melody(8_000)[:, 0], 20)
        for _ in range(180):
            file.write(minute)
    seconds, peak = decoded_apart(path)
    assert seconds == pytest.approx(HOURS_3, abs=0.01)
    assert peak <= 1.3 * HOURS_3 * SAMPLE_RATE * 4


def test_three_hours_of_compressed_audio_take_little_more_than_the_result(tmp_path):
    ten_seconds = pyav_bytes(melody(8_000, seconds=10), 8_000, container="adts", codec="aac")
    path = tmp_path / "audio"
    path.write_bytes(ten_seconds * (HOURS_3 // 10))
    seconds, peak = decoded_apart(path)
    assert HOURS_3 <= seconds <= 1.05 * HOURS_3
    assert peak <= 1.3 * seconds * SAMPLE_RATE * 4


def test_reversed_polarity_does_not_take_the_memory_twice(tmp_path):
    written = melody(16_000, seconds=600, channels=2)
    written[:, 1] *= -1
    path = tmp_path / "audio"
    path.write_bytes(soundfile_bytes(written, 16_000))
    seconds, peak = decoded_apart(path)
    assert seconds == 600
    assert peak <= 1.6 * seconds * SAMPLE_RATE * 4


def test_a_small_file_of_a_huge_claim_takes_little(tmp_path):
    path = tmp_path / "audio"
    path.write_bytes(soundfile_bytes(melody(16_000), 16_000).replace(b"data", b"data\xff\xff\xff\x7f", 1))
    seconds, peak = decoded_apart(path)
    assert seconds == pytest.approx(3.0, abs=0.01)
    assert peak < 64 * 1024**2
