"""Long audio through a decoder of short windows: every word once, stopped when it must be, progress that goes on."""

import threading

import pytest

from common.coverage import Coverage
from common.errors import JobCancelledError
from common.timeline import Word
from handlers.transcription import long_form
from handlers.transcription.speech_detector import Speech
from handlers.transcription.window_decoder import heard_in
from tests.support.lossy_decoder import DURATION_S, SPOKEN, LossyDecoder, heard, misses_in_windows_of


@pytest.fixture(autouse=True)
def speech(monkeypatch):
    """What the detector finds: speech all the time, unless a test says otherwise."""
    found = {"certain": ((0.0, DURATION_S),), "possible": ((0.0, DURATION_S),)}
    monkeypatch.setattr(long_form, "find_speech", lambda samples, stop: Speech(**found))
    return found


@pytest.mark.parametrize("context_s", [0.0, 4.0])
def test_what_every_window_hears_is_taken_once(context_s):
    decoder = LossyDecoder()
    words, coverage = heard(decoder, context_s=context_s)
    assert words == SPOKEN
    assert coverage == Coverage(speech_s=DURATION_S)
    assert len(decoder.rounds) == 1
    assert len(decoder.rounds[0]) >= 4


def test_only_the_spans_are_decoded_each_alone_with_the_times_of_the_whole():
    decoder = LossyDecoder()
    words, coverage = heard(decoder, spans=[(16_000, 32_000), (50 * 16_000, 90 * 16_000)])
    assert words == tuple(word for word in SPOKEN if 1 <= word.start < 2 or 50 <= word.start < 90)
    assert coverage is None
    (windows,) = decoder.rounds
    assert windows[0] == (1.0, 2.0)
    assert all(50 <= first < last <= 90 and last - first <= 30 for first, last in windows[1:])


def test_no_spans_are_no_words():
    decoder = LossyDecoder()
    assert heard(decoder, spans=()) == ((), None)
    assert decoder.rounds == [[]]


def test_no_audio_is_no_words_and_no_speech(speech):
    speech["certain"] = speech["possible"] = ()
    assert heard(LossyDecoder(), duration_s=0) == ((), Coverage(speech_s=0.0))


def test_words_end_with_the_audio(speech):
    class Late(LossyDecoder):
        def _decoded(self, window, partial):
            return heard_in(window, [Word("a", 0.5, 90.0), Word("b", 80.0, 91.0)])

    words, _ = heard(Late(), duration_s=2.0)
    assert [(word.text, word.start, word.end) for word in words] == [("a", 0.5, 2.0), ("b", 2.0, 2.0)]


@pytest.mark.parametrize(
    ("decoder", "options"),
    [
        (LossyDecoder(), {}),
        (LossyDecoder(misses=misses_in_windows_of(0.0)), {}),
        (LossyDecoder(misses=misses_in_windows_of(10.0)), {}),
        (LossyDecoder(), {"spans": ((0, 800_000), (900_000, 1_600_000))}),
        (LossyDecoder(), {"duration_s": 0}),
    ],
)
def test_progress_never_goes_back_and_is_complete_only_at_the_end(decoder, options):
    ticks = []
    heard(decoder, tick=lambda stage, fraction: ticks.append((stage, fraction)), **options)
    fractions = [fraction for _, fraction in ticks]
    assert {stage for stage, _ in ticks} == {"transcription"}
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    if options.get("duration_s") != 0:
        assert fractions[0] == 0.0


@pytest.mark.parametrize("at", [0.3, 0.9, 0.95])
def test_a_job_is_stopped_while_it_decodes_and_while_it_repairs(at):
    def stop(stage, fraction):
        if fraction >= at:
            raise JobCancelledError("stopped")

    with pytest.raises(JobCancelledError):
        heard(LossyDecoder(misses=misses_in_windows_of(0.0)), tick=stop)


def test_a_stopped_job_stops_the_detector_and_does_not_wait_for_its_end(monkeypatch):
    stopped = []

    def endless(samples, stop):
        stopped.append(stop.wait(timeout=30))
        return Speech(certain=(), possible=())

    def stop_at_the_end(stage, fraction):
        if fraction >= long_form.DECODING_SHARE:
            raise JobCancelledError("stopped")

    monkeypatch.setattr(long_form, "find_speech", endless)
    with pytest.raises(JobCancelledError):
        heard(LossyDecoder(), tick=stop_at_the_end)
    assert stopped == [True]


def test_while_the_detector_is_waited_for_the_job_can_be_stopped(monkeypatch):
    ticks, decoded = [], threading.Event()

    def slow(samples, stop):
        assert decoded.wait(timeout=30)
        return Speech(certain=((0.0, DURATION_S),), possible=((0.0, DURATION_S),))

    def tick(stage, fraction):
        ticks.append(fraction)
        if ticks[-2:] == [long_form.DECODING_SHARE] * 2:  # once by the decoder, once by who waits
            decoded.set()

    monkeypatch.setattr(long_form, "find_speech", slow)
    words, _ = heard(LossyDecoder(), tick=tick)
    assert words == SPOKEN
