import numpy as np
import pytest

from common.audio import encode
from common.audio.encode import MAX_BIT_RATE, MIN_BIT_RATE, encode_opus_within, fitting_bit_rate

SECOND = 16_000


def spent(monkeypatch, share):
    """Let the encoder spend `share(bit_rate, seconds)` bytes of what it is given; tells the rates asked for."""
    asked = []

    def encoded(samples, *, bit_rate, check):
        asked.append((len(samples) / SECOND, bit_rate))
        return bytes(round(share(bit_rate, len(samples) / SECOND) * bit_rate / 8 * len(samples) / SECOND))

    monkeypatch.setattr(encode, "encode_opus", encoded)
    return asked


def silence(seconds):
    return np.zeros(round(seconds * SECOND), np.float32)


def test_the_rate_makes_up_for_what_the_encoder_leaves(monkeypatch):
    asked = spent(monkeypatch, lambda bit_rate, seconds: 0.8)
    encoded = encode_opus_within(silence(600), limit_bytes=1_200_000)
    assert asked[-1] == (600, round(16_000 * 0.97 / 0.8))
    assert len(encoded) == pytest.approx(1_200_000 * 0.97, abs=100)
    assert [seconds for seconds, _ in asked[:-1]] == [5] * 48


@pytest.mark.parametrize(("limit_bytes", "bit_rate"), [(10_000_000, MAX_BIT_RATE), (100, 13)])
def test_the_rate_is_bounded_above_only(monkeypatch, limit_bytes, bit_rate):
    spent(monkeypatch, lambda bit_rate, seconds: 1.0)
    assert fitting_bit_rate(silence(60), limit_bytes=limit_bytes) == bit_rate


def test_a_file_bigger_than_its_stretches_promised_is_done_again(monkeypatch):
    asked = spent(monkeypatch, lambda bit_rate, seconds: 1.1 if seconds > 5 else 1.0)
    encoded = encode_opus_within(silence(600), limit_bytes=1_200_000)
    whole = [bit_rate for seconds, bit_rate in asked if seconds == 600]
    assert whole == [15_520, pytest.approx(15_520 * 0.99 / (0.97 * 1.1), abs=1)]
    assert len(encoded) <= 1_200_000


def test_what_never_gets_small_enough_is_given_up(monkeypatch):
    asked = spent(monkeypatch, lambda bit_rate, seconds: 400_000 / bit_rate if seconds > 5 else 0.5)
    assert encode_opus_within(silence(600), limit_bytes=1_200_000) is None
    assert len([seconds for seconds, _ in asked if seconds == 600]) <= 3


def test_a_file_much_smaller_than_promised_is_done_again_at_a_higher_rate(monkeypatch):
    asked = spent(monkeypatch, lambda bit_rate, seconds: 0.7 if seconds > 5 else 1.0)
    encoded = encode_opus_within(silence(600), limit_bytes=1_200_000)
    assert [bit_rate for seconds, bit_rate in asked if seconds == 600] == [
        15_520,
        pytest.approx(15_520 * 0.99 / (0.97 * 0.7), abs=1),
    ]
    assert len(encoded) == pytest.approx(0.99 * 1_200_000, abs=100)


def test_of_those_that_fit_the_biggest_is_kept(monkeypatch):
    sizes = iter([0.8 * 1_200_000, 1_300_000, 0.85 * 1_200_000])
    spent(monkeypatch, lambda bit_rate, seconds: next(sizes) / (bit_rate / 8 * 600) if seconds > 5 else 1.0)
    assert len(encode_opus_within(silence(600), limit_bytes=1_200_000)) == pytest.approx(0.85 * 1_200_000, abs=1)


@pytest.mark.parametrize("limit_bytes", [0, -5, 600 * MIN_BIT_RATE // 8 - 2000])
def test_below_the_lowest_rate_nothing_is_encoded(monkeypatch, limit_bytes):
    asked = spent(monkeypatch, lambda bit_rate, seconds: 1.0)
    assert encode_opus_within(silence(600), limit_bytes=limit_bytes) is None
    assert all(seconds == 5 for seconds, _ in asked)
