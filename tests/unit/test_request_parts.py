import base64
import json
import math

import pytest

from common.audio.limits import AudioLimits
from common.errors import AudioUrlError, EmptyAudioError, InputTooLargeError, InvalidInputError
from orchestrator import upload
from orchestrator.endpoints import RUN_BODY_BYTES
from orchestrator.request_parts import carried_words, with_recordings
from orchestrator.upload import BODY_RESERVE_BYTES

LIMITS = AudioLimits()
URL = "https://example.org/a.wav"


def prepared(audio=URL, unsent=(), **options):
    return with_recordings(audio, options, limits=LIMITS, unsent=unsent)


@pytest.fixture
def shrinking(monkeypatch):
    """Let every recording that is too big be re-encoded to what fits; tells the room each was given."""
    rooms, lengths = [], []

    def shrunk(content, limits, room_bytes, first_s, check):
        rooms.append(room_bytes)
        lengths.append(first_s)
        return bytes(room_bytes)

    monkeypatch.setattr(upload, "_shrunk", shrunk)
    yield rooms
    assert set(lengths) <= {120.0, math.inf}


def test_voices_are_embedded_as_the_recording_is(tmp_path):
    path = tmp_path / "sheila.wav"
    path.write_bytes(b"voice")
    known = [{"name": "Sheila", "audio": path}, {"name": "Ada", "audio": b"other"}, {"name": "Eve", "audio": str(path)}]
    fields = prepared(b"talk", known_speakers=known, num_speakers=2)
    assert base64.b64decode(fields["audio"]) == b"talk"
    assert [base64.b64decode(one["audio"]) for one in fields["known_speakers"]] == [b"voice", b"other", b"voice"]
    assert [one["name"] for one in fields["known_speakers"]] == ["Sheila", "Ada", "Eve"]
    assert fields["num_speakers"] == 2


def test_urls_and_embeddings_pass_as_they_are():
    known = [{"name": "Sheila", "audio": URL}, {"name": "Ada", "embedding": [0.5, 1.0]}]
    assert prepared(known_speakers=known) == {"audio": URL, "known_speakers": known}
    assert prepared(known_speakers=tuple(known))["known_speakers"] == known


@pytest.mark.parametrize("known", ["Sheila", 7, None, ["Sheila"], [{"name": "Sheila", "audio": 7}]])
def test_what_is_no_known_speaker_is_left_to_the_contract(known):
    assert prepared(known_speakers=known)["known_speakers"] == known


@pytest.mark.parametrize(
    ("audio", "kind", "words"),
    [
        ("no/such.wav", InvalidInputError, "known speaker Sheila: cannot read no/such.wav"),
        (b"", EmptyAudioError, "known speaker Sheila: the audio file is empty"),
        ("UklGR" * 100_000, InvalidInputError, r"known speaker Sheila: cannot read \S{80}: File name too long$"),
        ("a\0b.wav", InvalidInputError, "known speaker Sheila: cannot read a�b.wav: no path has such characters"),
        ("ftp://example.org/a.wav", AudioUrlError, "known speaker Sheila: ftp:// URLs cannot be fetched"),
    ],
)
def test_a_voice_that_cannot_be_sent_is_named(audio, kind, words):
    known = [{"name": "Ada", "embedding": [0.5, 1.0]}, {"name": "Sheila", "audio": audio}]
    with pytest.raises(kind, match=words) as caught:
        prepared(known_speakers=known)
    assert caught.value.param == "known_speakers.1.audio"


def test_several_recordings_share_the_room_of_one_request(shrinking):
    known = [{"name": name, "audio": bytes(6_000_000)} for name in ("Sheila", "Ada")]
    fields = prepared(bytes(12_000_000), known_speakers=known)
    assert shrinking[:2] == [1_862_982, 1_862_982]
    assert len(json.dumps(fields)) <= RUN_BODY_BYTES
    assert len(fields["audio"]) > 4_800_000


@pytest.mark.parametrize("others", [0, 99])
def test_only_local_voices_share_the_room(shrinking, others):
    known = [{"name": str(number), "audio": URL} for number in range(others)]
    fields = prepared(known_speakers=[{"name": "Sheila", "audio": bytes(9_000_000)}, *known])
    assert RUN_BODY_BYTES - BODY_RESERVE_BYTES - 100 < len(json.dumps(fields)) < RUN_BODY_BYTES
    assert fields["known_speakers"][1:] == known


def test_what_is_embedded_already_leaves_less_room(shrinking):
    data = f"data:audio/wav;base64,{'A' * 4_000_000}"
    known = [{"name": "Ada", "audio": data}, {"name": "Sheila", "audio": bytes(9_000_000)}]
    assert len(json.dumps(prepared(data, known_speakers=known))) <= RUN_BODY_BYTES
    assert 1_425_000 < shrinking[0] < 1_500_000
    known[0]["audio"] = f"data:audio/wav;base64,{'A' * 8_000_000}"
    with pytest.raises(
        InputTooLargeError, match=r"without its local recordings the request has 12\.0 MB, of at most 10"
    ):
        prepared(data, known_speakers=known)


def test_earlier_words_take_their_room_from_the_recording_where_they_are_sent(shrinking):
    words = [{"word": "wörd", "start": 0.1, "end": 0.2}] * 40_000
    assert len(json.dumps(prepared(bytes(12_000_000), words=words))) <= RUN_BODY_BYTES
    prepared(bytes(12_000_000), words=words, unsent=("words",))
    assert shrinking[1] - shrinking[0] == pytest.approx(len(json.dumps({"words": words})) * 3 / 4, abs=3)


def test_a_recording_for_which_there_is_no_room_is_refused():
    words = [{"word": "word", "start": 0.1, "end": 0.2}] * 250_000
    for fields in ({"audio": b"talk"}, {"known_speakers": [{"name": "Ada", "audio": b"talk"}]}):
        with pytest.raises(
            InputTooLargeError, match=r"the request has 11\.0 MB, of at most 10; most .* words"
        ) as caught:
            prepared(words=words, **fields)
        assert caught.value.param == "words"
    assert prepared(words=words)["audio"] == URL


def test_words_are_blamed_where_they_leave_a_recording_no_room(refusing):
    words = [{"word": "word", "start": 0.1, "end": 0.2}] * 150_000
    with pytest.raises(
        InputTooLargeError, match=r"too long for one request, which has room for \d+ minutes of it; most .* words"
    ) as caught:
        prepared(bytes(8_000_000), words=words)
    assert caught.value.param == "words"
    with pytest.raises(InputTooLargeError, match="http") as caught:
        prepared(bytes(8_000_000), words=words[:50_000])
    assert caught.value.param == "audio"


@pytest.fixture
def refusing(monkeypatch):
    monkeypatch.setattr(upload, "_shrunk", lambda source, limits, room_bytes, first_s, check: None)


def test_a_voice_too_long_to_fit_says_what_is_enough(refusing):
    with pytest.raises(InputTooLargeError, match=r"Ada: the recording is too long .* a few seconds of the voice"):
        prepared(known_speakers=[{"name": "Ada", "audio": bytes(8_000_000)}])


def test_an_earlier_result_gives_its_words_and_its_language():
    words = [
        {"word": "Hi,", "start": 0.1, "end": 0.2, "confidence": 0.5, "speaker": "SPEAKER_00", "overlap": True},
        {"word": "好", "start": 0.2, "end": 0.3, "space_before": False, "speaker": None},
    ]
    assert carried_words({"language": "en", "words": words, "text": "Hi,好"}) == {
        "language": "en",
        "words": [
            {"word": "Hi,", "start": 0.1, "end": 0.2, "confidence": 0.5},
            {"word": "好", "start": 0.2, "end": 0.3, "space_before": False},
        ],
    }


@pytest.mark.parametrize("language", ["und", "english", "", None, 7, "en\n"])
def test_a_language_that_is_no_code_is_not_carried_on(language):
    assert carried_words({"language": language, "words": []}) == {"words": []}


@pytest.mark.parametrize("confidence", [math.nan, math.inf, -0.5, 1.5])
def test_a_confidence_that_is_none_is_not_carried_on(confidence):
    word = {"word": "Hi", "start": 0.0, "end": 1.0}
    assert carried_words({"words": [{**word, "confidence": confidence}]}) == {"words": [word]}


@pytest.mark.parametrize(
    "result",
    [
        {"text": "only text"},
        {"words": None},
        {"words": [{"word": "Hi"}]},
        {"words": [{"word": "a", "start": 2, "end": 1}]},
    ],
)
def test_a_result_without_words_says_what_to_ask_for(result):
    with pytest.raises(InvalidInputError, match=r"verbose_json with timestamps true|must satisfy"):
        carried_words(result)


@pytest.mark.parametrize("result", [None, "text", [{"word": "Hi", "start": 0.0, "end": 0.1}]])
def test_what_is_no_result_is_refused(result):
    with pytest.raises(InvalidInputError, match="the object that response_format verbose_json gives") as caught:
        carried_words(result)
    assert caught.value.param == "words"
