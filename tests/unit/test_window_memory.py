"""Windows and batches that do not fit into the memory."""

import gc
import weakref

import pytest

from common.errors import EngineError
from handlers.transcription.batches import decode_windows
from handlers.transcription.memory import plain_memory
from tests.support.fake_decoder import FakeDecoder, OutOfMemoryError, texts, windows_of


def decode(decoder, samples, windows, *, memory=None, partial=False):
    return decode_windows(
        decoder,
        samples,
        windows,
        memory=memory or plain_memory(batch_s=60.0),
        partial=partial,
        tick=lambda stage, fraction: None,
    )


def heard(decoded):
    return [[word.text for word in one.words] for one in decoded]


def sizes(decoder):
    return [len(attempt.spans) for attempt in decoder.attempts]


def test_a_batch_that_does_not_fit_is_decoded_in_smaller_ones_and_the_cache_is_freed():
    decoder = FakeDecoder(limit_s=25)
    assert heard(decode(decoder, *windows_of(*[10] * 6))) == [texts(10 * i, 10 * i + 10) for i in range(6)]
    assert sizes(decoder) == [6, 3, 1, 1, 1, 1, 1, 1]
    assert decoder.freed == 2


def test_what_did_not_fit_is_remembered_by_later_calls():
    memory = plain_memory(batch_s=40.0)
    samples, windows = windows_of(*[10] * 4)
    decode(FakeDecoder(limit_s=20), samples, windows, memory=memory)
    later = FakeDecoder(limit_s=20)
    decode(later, samples, windows, memory=memory)
    assert sizes(later) == [2, 2]


def test_half_of_a_small_batch_is_less_than_half_of_the_memory():
    decoder = FakeDecoder(limit_s=10)
    decode(decoder, *windows_of(10, 10), memory=plain_memory(batch_s=10_000.0))
    assert sizes(decoder) == [2, 1, 1]


def test_a_window_that_fits_once_the_cache_is_empty_is_not_cut():
    def fault(attempt):
        if not decoder.freed:
            raise OutOfMemoryError

    decoder = FakeDecoder(fault=fault)
    assert heard(decode(decoder, *windows_of(10))) == [texts(0, 10)]
    assert [attempt.spans for attempt in decoder.attempts] == [((0, 10),)] * 2


@pytest.mark.parametrize("limit_s", [25, 12, 5])
def test_a_window_that_does_not_fit_by_itself_is_decoded_in_parts_without_losing_a_word(limit_s):
    decoder = FakeDecoder(limit_s=limit_s)
    samples, windows = windows_of(40, 10)
    decoded = decode(decoder, samples, windows)
    assert heard(decoded) == [texts(0, 40), texts(40, 50)]
    assert [word.start for word in decoded[0].words] == pytest.approx(list(range(40)), abs=0.01)


def test_the_job_fails_only_where_not_even_seconds_fit():
    with pytest.raises(EngineError, match=r"the memory does not hold even [34]\.\d s of audio beside the model; free"):
        decode(FakeDecoder(limit_s=2.5), *windows_of(20))


def test_or_tells_in_a_partial_result_what_did_not_fit():
    (decoded,) = decode(FakeDecoder(limit_s=2.5), *windows_of(20), partial=True)
    heard_at = {round(word.start) for word in decoded.words}  # some parts happen to be short enough
    assert len(heard_at) < 6
    assert sum(end - start for start, end in decoded.failed) <= 20.0
    assert all(at in heard_at or any(start <= at + 0.25 <= end for start, end in decoded.failed) for at in range(20))


def test_too_little_memory_for_float32_cuts_the_window():
    def fault(attempt):
        if attempt.careful and attempt.padded_s > 6:
            raise OutOfMemoryError

    decoder = FakeDecoder(fault=fault, is_finite=lambda attempt, span: attempt.careful or span[1] - span[0] <= 6)
    assert heard(decode(decoder, *windows_of(10))) == [texts(0, 10)]


def test_out_of_memory_while_preparing_makes_the_batch_smaller():
    def on_prepare(batch):
        if len(batch) > 2:
            decoder._preparing -= 1
            raise MemoryError

    decoder = FakeDecoder(on_prepare=on_prepare)
    assert heard(decode(decoder, *windows_of(*[10] * 4))) == [texts(10 * i, 10 * i + 10) for i in range(4)]
    assert sizes(decoder) == [2, 2]


def test_nothing_holds_the_prepared_batches_when_memory_is_freed():
    class Watched(FakeDecoder):
        def free_memory(self):
            super().free_memory()
            gc.collect()
            alive.append(sum(batch() is not None for batch in prepared))

    prepared, alive = [], []
    decoder = Watched(limit_s=15, on_prepare=lambda batch: prepared.append(weakref.ref(batch)))
    decode(decoder, *windows_of(*[10] * 8), memory=plain_memory(batch_s=40.0))
    assert alive == [0] * decoder.freed
    assert decoder.freed >= 2


def test_windows_that_wait_again_stay_in_their_order():
    decoder = FakeDecoder(limit_s=20)
    decode(decoder, *windows_of(10, 9.5, 9, 8.5), memory=plain_memory(batch_s=30.0))
    assert [[last - first for first, last in attempt.spans] for attempt in decoder.attempts] == [
        [10, 9.5, 9], [10], [9.5], [9], [8.5],
    ]  # fmt: skip


def test_a_part_of_a_window_too_large_is_cut_again_where_the_model_fails():
    def fault(attempt):
        if attempt.padded_s > 15:
            raise RuntimeError("the model is confused")

    assert heard(decode(FakeDecoder(limit_s=25, fault=fault), *windows_of(40))) == [texts(0, 40)]
