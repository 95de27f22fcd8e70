"""Windows on which the model fails: nobody else's words are lost, and little of their own."""

import threading

import pytest

from common.errors import EngineError, JobCancelledError
from handlers.transcription.batches import decode_windows
from handlers.transcription.memory import plain_memory
from tests.support.fake_decoder import Attempt, FakeDecoder, OutOfMemoryError, texts, windows_of

TEN_S = ((0, 10), (10, 20), (20, 30))


def decode(decoder, samples, windows, *, partial=False, tick=lambda stage, fraction: None):
    return decode_windows(decoder, samples, windows, memory=plain_memory(batch_s=60.0), partial=partial, tick=tick)


def heard(decoded):
    return [[word.text for word in one.words] for one in decoded]


def failing(predicate, error=None):
    def fault(attempt):
        if predicate(attempt):
            raise error or RuntimeError("the model is confused")

    return fault


def test_a_window_that_is_not_finite_in_its_batch_is_tried_alone_and_the_others_are_not():
    decoder = FakeDecoder(is_finite=lambda attempt, span: attempt.alone or span[0] != 10)
    assert heard(decode(decoder, *windows_of(10, 10, 10))) == [texts(*span) for span in TEN_S]
    assert decoder.attempts == [Attempt(TEN_S), Attempt(((10, 20),))]


def test_when_a_batch_fails_each_of_its_windows_is_tried_alone():
    decoder = FakeDecoder(fault=failing(lambda attempt: not attempt.alone))
    assert heard(decode(decoder, *windows_of(10, 10, 10))) == [texts(*span) for span in TEN_S]
    assert decoder.attempts == [Attempt(TEN_S), *(Attempt((span,)) for span in TEN_S)]


def test_an_error_that_passes_costs_nothing():
    errors = [RuntimeError("once"), ValueError("twice")]

    def fault(attempt):
        if errors:
            raise errors.pop()

    assert heard(decode(FakeDecoder(fault=fault), *windows_of(10))) == [texts(0, 10)]


def test_errors_of_any_kind_are_survived_also_while_preparing():
    class ForeignError(Exception):
        """As numba's, which is nothing but an Exception."""

    def on_prepare(batch):
        on_prepare.calls += 1
        if on_prepare.calls == 1:
            decoder._preparing -= 1
            raise ForeignError

    on_prepare.calls = 0
    decoder = FakeDecoder(on_prepare=on_prepare)
    assert heard(decode(decoder, *windows_of(10, 10))) == [texts(0, 10), texts(10, 20)]


def test_an_answer_of_the_wrong_length_is_a_failure_too():
    class Forgetful(FakeDecoder):
        def decode(self, batch, ask):
            return super().decode(batch, ask)[:1]

    assert heard(decode(Forgetful(), *windows_of(10, 10))) == [texts(0, 10), texts(10, 20)]


def test_what_overflows_is_decoded_in_float32():
    decoder = FakeDecoder(is_finite=lambda attempt, span: attempt.careful or span[0] != 10)
    assert heard(decode(decoder, *windows_of(10, 10))) == [texts(0, 10), texts(10, 20)]
    assert decoder.attempts[1:] == [Attempt(((10, 20),)), Attempt(((10, 20),), careful=True)]


def test_what_fails_as_a_whole_is_decoded_in_parts_and_no_word_is_lost_or_doubled():
    decoder = FakeDecoder(fault=failing(lambda attempt: attempt.padded_s > 15))
    samples, windows = windows_of(20, 10)
    decoded = decode(decoder, samples, windows)
    assert heard(decoded) == [texts(0, 20), texts(20, 30)]
    assert [word.start for word in decoded[0].words] == pytest.approx(list(range(20)), abs=0.01)
    assert decoded[0].failed == ()


def test_a_failure_for_good_says_where_and_what_to_do():
    decoder = FakeDecoder(fault=failing(lambda attempt: attempt.touches(31)))
    with pytest.raises(EngineError) as caught:
        decode(decoder, *windows_of(30, 3, 30))
    assert caught.value.message == (
        "the model fails on the audio from 30.0 to 33.0 s, even alone and in float32; send the job again, or set "
        "ON_WINDOW_FAILURE=partial for a result without words there, which lists it in `coverage.failed`"
    )
    assert caught.value.retryable


def test_one_of_a_hundred_windows_that_fails_for_good_fails_the_job_by_default():
    decoder = FakeDecoder(is_finite=lambda attempt, span: not span[0] <= 75 < span[1])
    with pytest.raises(EngineError, match=r"from 74\.0 to 76\.0 s"):
        decode(decoder, *windows_of(*[2] * 100))


def test_one_of_a_hundred_windows_that_fails_for_good_leaves_the_others_whole_in_a_partial_result():
    decoder = FakeDecoder(is_finite=lambda attempt, span: not span[0] <= 75 < span[1])
    decoded = decode(decoder, *windows_of(*[2] * 100), partial=True)
    assert [one.failed for one in decoded] == [((74.0, 76.0),) if i == 37 else () for i in range(100)]
    assert heard(decoded) == [[] if i == 37 else texts(2 * i, 2 * i + 2) for i in range(100)]


def test_only_the_part_that_fails_is_missing_from_a_partial_result():
    decoder = FakeDecoder(is_finite=lambda attempt, span: not span[0] <= 55 < span[1])
    before, bad, after = decode(decoder, *windows_of(40, 20, 40), partial=True)
    ((first, last),) = bad.failed
    assert 40 <= first < 55 < last <= 60
    assert last - first <= 12
    missing = set(texts(40, 60)) - {word.text for word in bad.words}
    assert missing <= set(texts(int(first), last + 1))
    assert heard([before, after]) == [texts(0, 40), texts(60, 100)]


def test_a_failure_in_what_another_window_answers_for_is_none():
    decoder = FakeDecoder(is_finite=lambda attempt, span: span[1] - span[0] < 20 and not span[0] <= 1 < span[1])
    samples, windows = windows_of(8, 20, context_s=8)
    _, second = decode(decoder, samples, windows, partial=True)
    assert second.failed == ()
    assert set(texts(8, 28)) <= {word.text for word in second.words}


def test_a_lost_gpu_ends_the_job_at_once_also_a_partial_one():
    error = RuntimeError("CUDA error: an illegal memory access was encountered")
    decoder = FakeDecoder(fault=failing(lambda attempt: True, error))
    with pytest.raises(EngineError, match="the GPU stopped answering; send the job again"):
        decode(decoder, *windows_of(10, 10), partial=True)
    assert len(decoder.attempts) == 1


@pytest.mark.parametrize("allowed", [0, 1, 2, 3, 5, 6])
@pytest.mark.parametrize(
    "fault",
    [
        failing(lambda attempt: False),
        failing(lambda attempt: not attempt.careful),
        failing(lambda attempt: attempt.padded_s > 15, OutOfMemoryError()),
    ],
    ids=["in batches", "in rescue", "in parts"],
)
def test_a_stopped_job_ends_at_once_wherever_it_is_and_leaves_no_thread(allowed, fault):
    ticks = []

    def tick(stage, fraction):
        ticks.append(fraction)
        if len(ticks) > allowed:
            raise JobCancelledError("stopped")

    decoder = FakeDecoder(fault=fault)
    samples, windows = windows_of(20, 20, 20, 5)
    with pytest.raises(JobCancelledError):
        decode(decoder, samples, windows, tick=tick)
    assert len(ticks) == allowed + 1
    assert not any(thread.is_alive() for thread in decoder.threads)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prepare-windows")]


def test_progress_never_goes_back_while_windows_are_rescued():
    fractions = []
    decoder = FakeDecoder(fault=failing(lambda attempt: attempt.padded_s > 6))
    samples, windows = windows_of(10, 4, 10)
    decode(decoder, samples, windows, tick=lambda stage, fraction: fractions.append(fraction))
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)


def test_logs_say_what_failed_and_where_but_not_the_text_of_the_error(caplog):
    caplog.set_level("INFO")
    error = RuntimeError("could not spell 'secret'")
    decode(FakeDecoder(fault=failing(lambda attempt: not attempt.alone, error)), *windows_of(10, 10))
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("handlers")]
    assert line.startswith("windows_failed error=RuntimeError at=test_window_rescue.py:")
    assert line.endswith("windows=2 careful=False")
    assert "secret" not in caplog.text
