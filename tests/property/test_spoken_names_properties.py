"""Whatever a language model answers, speakers get names that are spoken, and words stay as they are."""

import re
from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from common.errors import EndpointError
from common.naming.chat_endpoint import _json_object
from common.naming.prompt import MAX_TALK_BYTES, naming_messages
from common.naming.spoken_names import MARKS_IN_NAMES, spoken_names
from common.timeline import Segment
from tests.support.transcripts import nasty_text

LABELS = ["SPEAKER_00", "SPEAKER_01", "Sheila", "ann", "Li Wei"]
SAID = ["Sheila", "sheila", "Ann", "Li", "Wei", "I'm", "Ann's", "李明", "Speaker", "00", "unknown", "José", "née"]
phrases = st.lists(st.sampled_from(SAID) | nasty_text, max_size=6).map(" ".join)
segments_lists = st.lists(
    st.builds(lambda text, speaker: Segment(0, 0.0, 1.0, text, speaker), phrases, st.sampled_from([*LABELS, None])),
    max_size=8,
)
values = st.none() | st.integers() | phrases | st.sampled_from(SAID) | st.lists(st.text(max_size=3), max_size=2)
answers = st.dictionaries(st.sampled_from(LABELS) | nasty_text, values, max_size=6)


@given(answers, segments_lists)
def test_known_labels_get_spoken_names_each_its_own(answer, segments):
    before = deepcopy(segments)
    names = spoken_names(answer, segments, LABELS)
    assert segments == before
    assert set(names) <= {segment.speaker for segment in segments} & set(answer)
    talk = " ".join(segment.text for segment in segments).casefold()
    for label, name in names.items():
        assert name == str(answer[label]).strip().strip(MARKS_IN_NAMES)
        assert 1 <= len(name) <= 60
        assert name.isprintable()
        assert not re.search(r"[<>&{}\[\]\\/:;\"_]", name)
        assert all(part.casefold() in talk for part in re.findall(r"[^\W\d_]+", name))
        assert name.casefold() not in {label.casefold() for label in LABELS if label in {s.speaker for s in segments}}
    assert len({name.casefold() for name in names.values()}) == len(names)


@given(answers, segments_lists)
def test_the_order_of_answers_and_checking_again_change_nothing(answer, segments):
    names = spoken_names(answer, segments, LABELS)
    assert spoken_names(dict(reversed(answer.items())), segments, LABELS) == names
    assert spoken_names(names, segments, LABELS) == names


@given(segments_lists)
def test_the_prompt_is_bounded_and_can_be_sent(segments):
    for message in naming_messages(segments * 10, LABELS):
        assert len(message["content"].encode()) < MAX_TALK_BYTES + 1500
        assert message["content"].count("</transcript>") == 1


@given(st.text() | nasty_text | st.sampled_from(["{", "}", "{}}", "[" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000]))
def test_any_content_is_an_object_or_an_error(content):
    try:
        answer = _json_object(content)
    except EndpointError:
        return
    assert content.index("{") < content.rindex("}")
    assert all(isinstance(key, str) for key in answer)
