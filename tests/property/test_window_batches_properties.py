from hypothesis import given, settings
from hypothesis import strategies as st

from common.audio.limits import SAMPLE_RATE
from handlers.transcription.batches import MIN_FILL, decode_windows
from handlers.transcription.memory import Cost, DecoderMemory
from handlers.transcription.window_decoder import seconds
from tests.support.fake_decoder import FakeDecoder, texts, windows_of

lengths = st.lists(st.integers(0, 12).map(lambda tenths: tenths / 2), max_size=12)
costs = st.builds(Cost, per_s=st.floats(0.1, 3.0), per_s2=st.floats(0.0, 0.3))


def decode(decoder, samples, windows, memory, *, partial=False):
    fractions = []
    decoded = decode_windows(
        decoder, samples, windows, memory=memory, partial=partial,
        tick=lambda stage, fraction: fractions.append(fraction),
    )  # fmt: skip
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    return decoded


def expected(windows):
    return [texts(window.first / SAMPLE_RATE, window.last / SAMPLE_RATE) for window in windows]


def heard(decoded):
    return [[word.text for word in one.words] for one in decoded]


@settings(deadline=None)
@given(lengths_s=lengths, cost=costs, available=st.floats(0.0, 100.0), max_windows=st.integers(1, 5))
def test_every_window_is_decoded_once_in_batches_that_fit(lengths_s, cost, available, max_windows):
    samples, windows = windows_of(*lengths_s)
    decoder = FakeDecoder()
    decoded = decode(decoder, samples, windows, DecoderMemory(cost, lambda: available, max_windows=max_windows))
    assert heard(decoded) == expected(windows)
    assert sum(len(attempt.spans) for attempt in decoder.attempts) == sum(seconds(window) > 0 for window in windows)
    for attempt in decoder.attempts:
        each_s = [last - first for first, last in attempt.spans]
        assert len(each_s) == 1 or len(each_s) * cost.of(max(each_s)) <= available + 1e-6
        assert len(each_s) <= max_windows
        assert sum(each_s) >= MIN_FILL * attempt.padded_s - 1e-6


@settings(deadline=None)
@given(
    lengths_s=st.lists(st.integers(0, 40), max_size=4), available=st.floats(1.0, 100.0), limit_s=st.floats(5.0, 50.0)
)
def test_whatever_fits_every_window_is_heard_in_full(lengths_s, available, limit_s):
    samples, windows = windows_of(*lengths_s)
    decoder = FakeDecoder(limit_s=limit_s)
    memory = DecoderMemory(Cost(per_s=1.0), lambda: available)
    assert heard(decode(decoder, samples, windows, memory)) == expected(windows)


@settings(deadline=None)
@given(lengths_s=lengths.filter(len), data=st.data())
def test_failing_windows_never_cost_others_their_words(lengths_s, data):
    samples, windows = windows_of(*lengths_s)
    bad = data.draw(st.sets(st.integers(0, len(windows) - 1)))
    stretches = [(windows[i].first / SAMPLE_RATE, windows[i].last / SAMPLE_RATE) for i in bad]

    def is_finite(attempt, span):
        return not any(first < span[1] and span[0] < last for first, last in stretches)

    decoded = decode(
        FakeDecoder(is_finite=is_finite), samples, windows, DecoderMemory(Cost(per_s=1.0), lambda: 20.0), partial=True
    )
    for i, (one, words) in enumerate(zip(decoded, expected(windows), strict=True)):
        assert [word.text for word in one.words] == ([] if i in bad else words)
        lost = sum(last - first for first, last in one.failed)
        assert abs(lost - (seconds(windows[i]) if i in bad else 0.0)) < 1e-3
