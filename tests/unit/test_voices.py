import pytest

from common.errors import InvalidInputError
from common.voices import KnownVoice, check_embedding, cosine, match_voices


def known(**voices):
    return [KnownVoice(name=name, embedding=embedding) for name, embedding in voices.items()]


def matches(embeddings, voices, threshold=0.7):
    return [
        (match.speaker, match.name, match.similarity) for match in match_voices(embeddings, voices, threshold=threshold)
    ]


def test_a_known_voice_gives_its_name_and_a_stranger_keeps_the_label():
    heard = {"SPEAKER_00": [1.0, 0.0], "SPEAKER_01": [0.0, 1.0]}
    assert matches(heard, known(Ada=[0.1, 2.0])) == [("SPEAKER_01", "Ada", 0.9988)]


def test_the_length_of_a_vector_does_not_matter():
    assert cosine([3.0, 4.0], [30.0, 40.0]) == 1.0
    assert cosine([1e300, 0.0], [1e-300, 1e-300]) == 0.7071
    assert cosine([1.0, 0.0], [-2.0, 0.0]) == -1.0


@pytest.mark.parametrize(("threshold", "found"), [(0.6, 1), (0.6001, 0)])
def test_the_threshold_itself_is_enough(threshold, found):
    assert len(matches({"SPEAKER_00": [1.0, 0.0]}, known(Ada=[0.6, 0.8]), threshold)) == found


def test_one_person_is_one_speaker_at_most():
    heard = {"SPEAKER_00": [1.0, 0.1], "SPEAKER_01": [1.0, 0.0]}
    assert matches(heard, known(Ada=[1.0, 0.0])) == [("SPEAKER_01", "Ada", 1.0)]


def test_one_speaker_is_one_person_at_most_and_the_best_pair_goes_first():
    heard = {"SPEAKER_00": [1.0, 0.0], "SPEAKER_01": [0.8, 0.6]}
    people = known(Ada=[1.0, 0.05], Bob=[0.95, 0.3])
    assert matches(heard, people) == [("SPEAKER_00", "Ada", 0.9988), ("SPEAKER_01", "Bob", 0.9435)]


def test_of_two_examples_of_one_person_the_better_counts():
    people = [*known(Ada=[0.0, 1.0]), *known(Ada=[1.0, 0.0])]
    heard = {"SPEAKER_00": [1.0, 0.1], "SPEAKER_01": [0.05, 1.0]}
    assert matches(heard, people) == [("SPEAKER_01", "Ada", 0.9988)]


def test_matches_are_in_the_order_of_the_labels():
    heard = {"SPEAKER_01": [1.0, 0.0], "SPEAKER_00": [0.1, 1.0]}
    assert [label for label, *_ in matches(heard, known(Ada=[1.0, 0.0], Bob=[0.0, 1.0]))] == [
        "SPEAKER_00",
        "SPEAKER_01",
    ]


@pytest.mark.parametrize(("heard", "people"), [({}, known(Ada=[1.0])), ({"SPEAKER_00": [1.0]}, [])])
def test_nobody_heard_or_nobody_known_is_no_match(heard, people):
    assert matches(heard, people) == []


@pytest.mark.parametrize(
    ("embedding", "message"),
    [
        ([1.0, 2.0], "has 2 numbers, those of this worker's model have 3"),
        ([0.0, 0.0, 0.0], "is all zeros or not finite"),
        ([1.0, float("nan"), 0.0], "is all zeros or not finite"),
        ([1.0, float("inf"), 0.0], "is all zeros or not finite"),
    ],
)
def test_an_embedding_that_cannot_be_compared_is_refused_by_its_field(embedding, message):
    with pytest.raises(InvalidInputError, match=message) as caught:
        check_embedding(embedding, dimension=3, param="known_speakers.1.embedding")
    assert caught.value.param == "known_speakers.1.embedding"
    assert caught.value.message.startswith("known_speakers.1.embedding ")


def test_an_embedding_of_the_models_dimension_is_accepted():
    check_embedding([0.0, -1.0, 0.0], dimension=3, param="known_speakers.1.embedding")
