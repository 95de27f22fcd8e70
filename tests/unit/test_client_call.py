import pytest

from common.errors import InvalidInputError
from orchestrator.client_call import Terms, fingerprint
from orchestrator.endpoints import JobOptions


@pytest.fixture
def voice(tmp_path):
    path = tmp_path / "ada.wav"
    path.write_bytes(b"voice")
    return path


def test_a_recording_is_known_by_its_bytes_wherever_they_are(voice):
    assert fingerprint(b"voice", {}) == fingerprint(voice, {}) == fingerprint(str(voice), {})
    before = fingerprint(voice, {})
    voice.write_bytes(b"voicf")
    assert fingerprint(voice, {}) != before


def test_urls_and_options_count(voice):
    one = fingerprint("https://example.org/a.wav", {"language": "en", "num_speakers": 2})
    assert one == fingerprint("https://example.org/a.wav", {"num_speakers": 2, "language": "en"})
    assert one != fingerprint("https://example.org/a.wav?b", {"language": "en", "num_speakers": 2})
    assert one != fingerprint("https://example.org/a.wav", {"language": "en", "num_speakers": 3})


def test_voices_are_known_by_their_bytes_too(voice):
    def found(audio):
        return fingerprint(b"a", {"known_speakers": [{"name": "Ada", "audio": audio}]})

    assert found(voice) == found(b"voice") == found(str(voice))
    voice.write_bytes(b"other")
    assert found(voice) != found(b"voice")


@pytest.mark.parametrize("audio", ["none.wav", "a\0b", "."])
def test_what_cannot_be_read_is_named(audio):
    with pytest.raises(InvalidInputError, match="cannot read"):
        fingerprint(audio, {})


def test_terms_are_told_from_fields():
    terms, fields = Terms.split({"ttl_s": 20, "language": "en", "deadline_s": None}, deadline_s=60.0)
    assert fields == {"language": "en"}
    assert (terms.deadline_s, terms.ttl_s, terms.execution_timeout_s, terms.low_priority) == (60.0, 20.0, None, False)
    assert terms.job_options(JobOptions(idempotency_key="k")) == JobOptions(idempotency_key="k", ttl_s=20.0)


@pytest.mark.parametrize("wrong", [{"deadline_s": 0}, {"deadline_s": float("nan")}, {"low_priority": "yes"}])
def test_wrong_terms_are_named(wrong):
    with pytest.raises(InvalidInputError, match=next(iter(wrong))):
        Terms.split(wrong, deadline_s=60.0)
