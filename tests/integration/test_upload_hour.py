import base64
import logging

import numpy as np
import pytest
import soundfile

from common.audio import encode
from common.audio.decode import decode_audio
from common.audio.limits import SAMPLE_RATE, AudioLimits
from orchestrator.endpoints import RUN_BODY_BYTES
from orchestrator.request_parts import with_recordings
from tests.support.pyannote_sample import sample_audio

HOUR_S = 3600


@pytest.fixture
def hour(tmp_path):
    path = tmp_path / "hour.wav"
    with soundfile.SoundFile(path, "w", samplerate=SAMPLE_RATE, channels=1, subtype="PCM_16") as file:
        for _ in range(HOUR_S // 30):
            file.write(sample_audio())
    return path


def test_an_hour_of_speech_fits_one_request(hour, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(encode, "COMPLEXITY", 0)  # as many bytes, in a third of the time
    with caplog.at_level(logging.INFO, logger="orchestrator"):
        fields = with_recordings(hour, {"num_speakers": 2}, limits=AudioLimits())
    assert 0.9 * RUN_BODY_BYTES < len(fields["audio"]) <= RUN_BODY_BYTES - 64_000
    content = base64.b64decode(fields["audio"])
    assert caplog.messages == [f"audio_reencoded bit_rate={round(len(content) * 8 / HOUR_S)} bytes={len(content)}"]
    path = tmp_path / "sent.opus"
    path.write_bytes(content)
    assert len(decode_audio(path, limits=AudioLimits(), first_s=30)) == 30 * SAMPLE_RATE
    with soundfile.SoundFile(path) as file:  # which seeks, so that not all of it is decoded
        assert file.frames / file.samplerate == pytest.approx(HOUR_S, abs=0.001)
        for start_s in (0, 1800, HOUR_S - 30):
            file.seek(start_s * file.samplerate)
            assert np.corrcoef(file.read(30 * file.samplerate), sample_audio())[0, 1] > 0.9
