"""Any recording a user may have, through the command line and the three real workers."""

import json

import av
import numpy as np
import pytest
import soundfile as sf

from common.audio.encode import encode_opus


def encode(samples, path, codec, rate):
    with av.open(str(path), mode="w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        fifo = av.AudioFifo()
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate)
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="flt", layout="mono")
        frame.sample_rate = 16_000
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            part.pts = None
            fifo.write(part)
        while (part := fifo.read(stream.codec_context.frame_size or 1024, partial=True)) is not None:
            part.pts = None
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


@pytest.fixture(scope="session")
def samples(sample):
    return sf.read(sample, dtype="float32")[0]


def transcribed(stack, audio, **options):
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    done = stack.parley("transcribe", audio, "--format", "verbose_json", *flags)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_sample(answer):
    assert "originally from Chicago" in answer["text"]
    assert answer["num_speakers"] == 2
    assert {word["speaker"] for word in answer["words"]} == {"SPEAKER_00", "SPEAKER_01"}


def test_an_m4a_file(stack, samples, tmp_path):
    path = tmp_path / "meeting.m4a"
    encode(samples, path, "aac", 44_100)
    check_sample(transcribed(stack, path))


def test_an_mp3_url(stack, samples, web_folder):
    folder, url = web_folder
    encode(samples, folder / "meeting.mp3", "mp3", 44_100)
    check_sample(transcribed(stack, f"{url}/meeting.mp3"))


def test_a_ten_minute_file(stack, samples, tmp_path):
    path = tmp_path / "long.wav"
    call_every_two_minutes = np.concatenate([np.zeros(90 * 16_000, np.float32), samples])
    sf.write(path, np.tile(call_every_two_minutes, 5), 16_000)
    answer = transcribed(stack, path)
    assert answer["duration"] == pytest.approx(600, abs=0.5)
    assert answer["text"].count("originally from Chicago") >= 8
    starts = [word["start"] for word in answer["words"]]
    assert starts == sorted(starts)
    assert starts[-1] > 590
    assert all("speaker" in word for word in answer["words"])


def test_a_stereo_opus_file_and_a_fixed_number_of_speakers(stack, samples, tmp_path):
    path = tmp_path / "call.opus"
    path.write_bytes(encode_opus(samples))
    answer = transcribed(stack, path, speakers=1)
    assert answer["num_speakers"] == 1


def test_every_format_comes_out_of_the_command_line(stack, sample, tmp_path):
    target = tmp_path / "out.srt"
    assert stack.parley("transcribe", sample, "--format", "srt", "-o", target).returncode == 0
    assert target.read_text(encoding="utf-8").startswith("1\n00:00:0")
    done = stack.parley("diarize", sample, "--speakers", "2")
    assert done.stdout.startswith("SPEAKER audio 1 ")
    assert {line.split()[7] for line in done.stdout.splitlines()} == {"SPEAKER_00", "SPEAKER_01"}


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("notes.wav", b"these are my notes\n" * 50, "unreadable_audio"), ("empty.wav", b"", "empty_audio")],
)
def test_what_is_no_recording_ends_in_one_line_and_exit_code_2(stack, tmp_path, name, content, code):
    path = tmp_path / name
    path.write_bytes(content)
    done = stack.parley("transcribe", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line for line in done.stderr.splitlines() if line.startswith("error:")] == [done.stderr.splitlines()[-1]]
    assert done.stderr.splitlines()[-1].endswith(f"[{code}]")


def test_a_missing_url_ends_in_one_line_and_exit_code_2_and_the_next_job_is_served(stack, web_folder, sample_url):
    done = stack.parley("transcribe", f"{web_folder[1]}/missing.mp3")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "404" in done.stderr.splitlines()[-1]
    check_sample(transcribed(stack, sample_url))
