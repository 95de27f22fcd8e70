"""Batches of windows when nothing fails."""

import threading

import numpy as np
import pytest

from common.chunking import Window
from handlers.transcription.batches import MIN_FILL, decode_windows
from handlers.transcription.memory import plain_memory
from tests.support.fake_decoder import FakeDecoder, audio, texts, windows_of


def decode(decoder, samples, windows, *, batch_s=60.0, tick=lambda stage, fraction: None):
    return decode_windows(decoder, samples, windows, memory=plain_memory(batch_s=batch_s), partial=False, tick=tick)


def test_every_window_is_heard_in_the_order_given_and_on_the_time_axis_of_all_samples():
    samples, windows = windows_of(3, 8, 5, 7)
    decoded = decode(FakeDecoder(), samples, windows)
    assert [[word.text for word in one.words] for one in decoded] == [
        texts(0, 3), texts(3, 11), texts(11, 16), texts(16, 23),
    ]  # fmt: skip
    assert [(word.start, word.end) for word in decoded[3].words][:2] == [(16.0, 16.5), (17.0, 17.5)]
    assert all(one.failed == () for one in decoded)


def test_batches_begin_with_the_longest_windows_and_pad_little():
    decoder = FakeDecoder()
    decode(decoder, *windows_of(2, 10, 9, 8, 2))
    assert [attempt.spans for attempt in decoder.attempts] == [((2, 12), (12, 21), (21, 29)), ((0, 2), (29, 31))]
    for attempt in decoder.attempts:
        assert sum(last - first for first, last in attempt.spans) >= MIN_FILL * attempt.padded_s


def test_batches_fit_the_memory():
    decoder = FakeDecoder()
    decode(decoder, *windows_of(10, 10, 10, 10, 10), batch_s=20)
    assert [len(attempt.spans) for attempt in decoder.attempts] == [2, 2, 1]


def test_a_window_above_the_memory_is_tried_alone():
    decoder = FakeDecoder()
    decode(decoder, *windows_of(30, 29), batch_s=10)
    assert [len(attempt.spans) for attempt in decoder.attempts] == [1, 1]


def test_no_samples_no_words_and_no_call():
    decoder = FakeDecoder()
    nothing = Window(first=16_000, last=16_000, core_first=16_000, core_last=16_000)
    first, second = decode(decoder, audio(1), [nothing, Window(first=0, last=16_000, core_first=0, core_last=16_000)])
    assert (first.words, first.failed) == ((), ())
    assert [word.text for word in second.words] == ["w0"]
    assert len(decoder.attempts) == 1


@pytest.mark.parametrize("windows", [[], [Window(first=0, last=0, core_first=0, core_last=0)]])
def test_nothing_to_decode_is_done_at_once(windows):
    fractions = []
    decoded = decode(
        FakeDecoder(), np.zeros(0, np.float32), windows, tick=lambda stage, fraction: fractions.append(fraction)
    )
    assert [one.words for one in decoded] == [() for _ in windows]
    assert fractions == [1.0]


def test_progress_is_the_share_of_the_audio_that_is_done():
    ticks = []
    samples, windows = windows_of(10, 10, 5)
    decode(FakeDecoder(), samples, windows, batch_s=10, tick=lambda *tick: ticks.append(tick))
    assert {stage for stage, _ in ticks} == {"transcription"}
    assert list(dict.fromkeys(fraction for _, fraction in ticks)) == [0.0, 0.4, 0.8, 1.0]
    assert [fraction for _, fraction in ticks] == sorted(fraction for _, fraction in ticks)


def test_the_next_batch_is_prepared_while_one_is_decoded():
    second_is_prepared = threading.Event()
    decoder = FakeDecoder(
        on_prepare=lambda batch: second_is_prepared.set() if batch[0][0] > 0 else None,
        fault=lambda attempt: None if second_is_prepared.wait(5) else pytest.fail("not prepared in time"),
    )
    decode(decoder, *windows_of(10, 10), batch_s=10)
    assert len(decoder.attempts) == 2


def test_one_other_thread_prepares_and_is_gone_afterwards():
    decoder = FakeDecoder()
    decode(decoder, *windows_of(*[10] * 6), batch_s=10)
    (thread,) = decoder.threads
    assert thread is not threading.current_thread()
    assert not thread.is_alive()
