"""What OpenAI's clients ask for, in the words of our own requests."""

import pytest

from common.errors import InvalidInputError, UnknownFieldError
from orchestrator.server.http.openai_request import AskedByForm, asked_of_form

VOICE = "data:audio/wav;base64,UklGRg=="


def asked(**texts):
    form = {"model": ["whisper-1"], **{name: [text] if isinstance(text, str) else text for name, text in texts.items()}}
    return asked_of_form(form)


def refused(**texts):
    with pytest.raises(InvalidInputError) as caught:
        asked(**texts)
    return caught.value


def test_words_without_speakers_are_what_a_model_gives():
    simple = asked()
    assert simple.fields == {"diarize": False}
    assert (simple.response_format, simple.stream, simple.speakers, simple.without_effect) == ("json", False, False, ())


@pytest.mark.parametrize(
    ("texts", "speakers"),
    [
        ({"model": "gpt-4o-transcribe-diarize"}, True),
        ({"model": "Parley-Diarize"}, True),
        ({"response_format": "diarized_json"}, True),
        ({"num_speakers": "2"}, True),
        ({"known_speaker_names[]": ["Ann"], "known_speaker_references[]": [VOICE]}, True),
        ({"response_format": "verbose_json"}, False),
        ({"diarize": "true"}, True),
        ({"diarize": "false", "model": "x-diarize"}, False),
    ],
)
def test_who_asks_for_speakers(texts, speakers):
    assert asked(**texts).fields["diarize"] is asked(**texts).speakers is speakers


def test_known_speakers_go_with_their_voices():
    names = {"known_speaker_names[]": ["Ann", "Bob"], "known_speaker_references[]": [VOICE, "data:,b"]}
    assert asked(**names).fields == {
        "diarize": True,
        "known_speakers": [{"name": "Ann", "audio": VOICE}, {"name": "Bob", "audio": "data:,b"}],
    }


@pytest.mark.parametrize(
    ("texts", "param"),
    [
        ({"known_speaker_names[]": ["Ann"]}, "known_speaker_references"),
        ({"known_speaker_references[]": [VOICE]}, "known_speaker_names"),
        ({"model": " "}, "model"),
        ({"model": ["a", "b"]}, "model"),
        ({"response_format": "docx"}, "response_format"),
        ({"response_format": "tsv"}, "response_format"),
        ({"stream": "yes"}, "stream"),
        ({"stream": "true", "response_format": "srt"}, "stream"),
        ({"stream": "true", "response_format": "verbose_json"}, "stream"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": "nan"}, "temperature"),
        ({"temperature": "1.5"}, "temperature"),
        ({"include[]": ["logprobs"]}, "include"),
        ({"timestamp_granularities[]": ["word"]}, "timestamp_granularities"),
        ({"timestamp_granularities[]": ["letter"], "response_format": "verbose_json"}, "timestamp_granularities"),
        ({"num_speakers": "two"}, "num_speakers"),
    ],
)
def test_what_is_wrong_is_named(texts, param):
    assert refused(**texts).param == param


def test_unknown_fields_are_refused():
    assert isinstance(refused(vad_filter="true"), UnknownFieldError)
    assert isinstance(refused(audio="https://example.com/a.wav"), UnknownFieldError)


def test_granularities():
    assert asked(response_format="verbose_json").granularities == {"segment"}
    both = asked(**{"response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"]})
    assert both.granularities == {"word", "segment"}
    assert asked(**{"timestamp_granularities[]": ["segment"]}).granularities == {"segment"}


def test_languages_and_words_to_expect():
    assert asked(language="en").fields["language"] == "en"
    assert asked(**{"languages[]": ["de"]}).fields["language"] == "de"
    assert "language" not in asked(language="").fields
    assert asked(**{"keywords[]": ["Chicago"], "hotwords[]": ["Evanston"]}).fields["hotwords"] == [
        "Evanston",
        "Chicago",
    ]


def test_what_has_no_effect_is_taken_all_the_same():
    vain = asked(
        **{
            "prompt": "Umm, let me think like, hmm.", "temperature": "0.2", "chunking_strategy": "auto",
            "languages[]": ["de", "fr"],
        }
    )  # fmt: skip
    assert vain.fields == {"diarize": False}
    assert vain.without_effect == ("prompt", "languages")
    assert asked(**{"chunking_strategy[type]": "server_vad", "chunking_strategy[threshold]": "0.5"}).fields == {
        "diarize": False
    }
    assert asked(**{"languages[]": ["de"], "language": "en"}).without_effect == ("languages",)


def test_our_own_fields_are_read_as_ever():
    own = asked(min_speakers="2", max_speakers="3", options='{"speaker_names": {"SPEAKER_00": "Ann"}}')
    assert own.fields == {
        "diarize": True, "min_speakers": 2, "max_speakers": 3, "speaker_names": {"SPEAKER_00": "Ann"},
    }  # fmt: skip


def test_a_form_is_known_once_it_was_read():
    form = AskedByForm()
    with pytest.raises(InvalidInputError, match="multipart"):
        _ = form.known
    assert form.read({"model": ["m"]}) == {"diarize": False}
    assert form.known.response_format == "json"
