"""OpenAI's own client, unmodified, against `parley serve` with the bundled models."""

import base64
import io
import warnings

import pytest
import soundfile as sf

with warnings.catch_warnings():
    # The client may warn of its own dependencies while it is imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    import openai


@pytest.fixture(scope="module")
def create(served, sample):
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", timeout=120.0) as client:

        def call(*, file=sample, **asked):
            return client.audio.transcriptions.create(file=file, **asked)

        yield call


def part(sample, start_s, end_s):
    """The bytes of a file with a part of the sample."""
    samples, rate = sf.read(sample, dtype="float32")
    file = io.BytesIO()
    sf.write(file, samples[int(start_s * rate) : int(end_s * rate)], rate, format="WAV")
    return file.getvalue()


@pytest.fixture(scope="module")
def clip(sample):
    return "clip.wav", part(sample, 14.25, 20.25)


def test_json_and_text_are_the_same_words(create, clip):
    transcription = create(file=clip, model="whisper-1")
    assert "Chicago" in transcription.text
    assert transcription.usage.seconds == pytest.approx(6.0, abs=0.01)
    assert create(file=clip, model="whisper-1", response_format="text") == transcription.text


def test_verbose_json_has_times_of_words(create):
    verbose = create(model="whisper-1", response_format="verbose_json", timestamp_granularities=["word", "segment"])
    chicago = next(word for word in verbose.words if "Chicago" in word.word)
    assert 14.0 < chicago.start < chicago.end < 21.0
    assert verbose.language == "en"
    assert " ".join(segment.text for segment in verbose.segments) == verbose.text


def test_srt(create, clip):
    srt = create(file=clip, model="whisper-1", response_format="srt")
    assert srt.startswith("1\n00:00:0")
    assert "Chicago" in srt


def test_diarized_json_has_two_speakers(create):
    diarized = create(model="gpt-4o-transcribe-diarize", response_format="diarized_json", chunking_strategy="auto")
    assert {segment.speaker for segment in diarized.segments} == {"SPEAKER_00", "SPEAKER_01"}
    assert "Chicago" in diarized.text


def test_a_known_speaker_has_a_name(create, sample):
    voice = base64.b64encode(part(sample, 22.0, 27.5)).decode()
    diarized = create(
        model="parley-diarize",
        response_format="diarized_json",
        known_speaker_names=["Ann"],
        known_speaker_references=[f"data:audio/wav;base64,{voice}"],
    )
    speakers = {segment.speaker for segment in diarized.segments}
    assert len(speakers) == 2
    assert "Ann" in speakers


def test_a_stream_ends_with_the_whole_text(create, clip):
    *deltas, done = create(file=clip, model="whisper-1", stream=True)
    assert "".join(event.delta for event in deltas) == done.text
    assert "Chicago" in done.text
