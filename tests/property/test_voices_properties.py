import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from common.voices import KnownVoice, cosine, match_voices

number = st.integers(-9, 9).map(float)
vector = st.lists(number, min_size=3, max_size=3).filter(any)
heard = st.dictionaries(st.sampled_from([f"SPEAKER_{n:02d}" for n in range(6)]), vector, max_size=5)
known = st.lists(
    st.builds(lambda name, embedding: KnownVoice(name=name, embedding=embedding), st.sampled_from("ABCD"), vector),
    max_size=6,
)
threshold = st.floats(-1, 1)


def found(embeddings, voices, least):
    return {(one.speaker, one.name, one.similarity) for one in match_voices(embeddings, voices, threshold=least)}


@given(heard, known, threshold)
def test_every_match_is_one_to_one_and_at_least_the_threshold(embeddings, voices, least):
    matches = match_voices(embeddings, voices, threshold=least)
    assert len({match.speaker for match in matches}) == len({match.name for match in matches}) == len(matches)
    for match in matches:
        examples = [voice.embedding for voice in voices if voice.name == match.name]
        assert match.similarity == max(cosine(embeddings[match.speaker], example) for example in examples) >= least


@given(heard, known, threshold)
def test_nobody_is_left_out_who_could_be_matched(embeddings, voices, least):
    matches = match_voices(embeddings, voices, threshold=least)
    labels, names = {match.speaker for match in matches}, {match.name for match in matches}
    for label in embeddings.keys() - labels:
        for voice in voices:
            assert voice.name in names or cosine(embeddings[label], voice.embedding) < least


@given(heard, known, threshold, st.randoms(use_true_random=False))
def test_the_order_of_speakers_and_of_known_voices_changes_nothing(embeddings, voices, least, random):
    labels = list(embeddings)
    random.shuffle(labels)
    shuffled = random.sample(voices, len(voices))
    assert found({label: embeddings[label] for label in labels}, shuffled, least) == found(embeddings, voices, least)


@given(heard, known, threshold, st.floats(1e-6, 1e6))
def test_loudness_of_vectors_changes_nothing(embeddings, voices, least, factor):
    louder = {label: list(np.array(embedding) * factor) for label, embedding in embeddings.items()}
    before, after = match_voices(embeddings, voices, threshold=-1), match_voices(louder, voices, threshold=-1)
    assert np.allclose([one.similarity for one in before], [one.similarity for one in after], atol=2e-4)


@given(heard, known, threshold)
def test_a_voice_given_twice_is_the_same_as_once(embeddings, voices, least):
    assert found(embeddings, [*voices, *voices], least) == found(embeddings, voices, least)


@given(heard, known, threshold, threshold)
def test_a_higher_threshold_only_takes_matches_away(embeddings, voices, one, other):
    assert found(embeddings, voices, max(one, other)) <= found(embeddings, voices, min(one, other))
