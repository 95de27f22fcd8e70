"""From the settings to a Parakeet model that is ready: found, in the right precision, warm."""

import pytest

from common.errors import ConfigurationError
from common.settings import load_settings
from handlers.transcription import parakeet
from handlers.transcription.parakeet import find_engine


@pytest.mark.parametrize(
    ("model_id", "message"),
    [
        ("/not/there.nemo", "a .nemo file that is not on this machine"),
        ("{folder}", "has no .nemo file"),
        ("parakeet", "neither a model on this machine nor a hub id"),
    ],
)
def test_a_model_that_is_not_there_is_said_before_nemo_is_loaded(tmp_path, model_id, message):
    variables = {
        "MODEL_ID": model_id.format(folder=tmp_path),
        "TRANSCRIPTION_DEVICE": "cpu",
        "MODEL_STORE": str(tmp_path),
    }
    with pytest.raises(ConfigurationError, match=message):
        find_engine(load_settings(variables).transcription)


class GraphDecoder:
    """A decoder whose driver cannot capture CUDA graphs; with `broken` nothing else works either."""

    def __init__(self, *, uses_cuda_graphs, broken=False):
        self.uses_cuda_graphs = uses_cuda_graphs
        self.broken = broken
        self.decoded = []

    def avoid_cuda_graphs(self):
        self.uses_cuda_graphs = False

    def prepare(self, windows):
        return [len(window) for window in windows]

    def decode(self, batch, ask):
        self.decoded.append(batch)
        if self.uses_cuda_graphs or self.broken:
            raise RuntimeError("NVRTC: unsupported toolchain")


def test_without_cuda_graphs_that_work_the_model_decodes_without_them_and_says_so():
    decoder = GraphDecoder(uses_cuda_graphs=True)
    assert parakeet._warm_up(decoder) == ("this GPU's driver cannot run CUDA graphs, so that decoding is slower",)
    assert not decoder.uses_cuda_graphs
    assert decoder.decoded == [[16_000], [16_000]]


def test_a_model_that_decodes_is_warm_without_a_warning():
    decoder = GraphDecoder(uses_cuda_graphs=False)
    assert parakeet._warm_up(decoder) == ()
    assert decoder.decoded == [[16_000]]


@pytest.mark.parametrize("uses_cuda_graphs", [False, True])
def test_a_model_that_cannot_decode_at_all_is_not_taken_for_warm(uses_cuda_graphs):
    with pytest.raises(RuntimeError, match="unsupported toolchain"):
        parakeet._warm_up(GraphDecoder(uses_cuda_graphs=uses_cuda_graphs, broken=True))


@pytest.mark.parametrize(
    ("wanted", "device", "expected"),
    [
        ("auto", "cpu", "float32"),
        ("auto", "mps", "float32"),
        ("float16", "cuda", "float16"),
        ("bfloat16", "cpu", "bfloat16"),
    ],
)
def test_the_precision_is_the_one_asked_for_or_what_the_device_is_good_at(wanted, device, expected):
    assert parakeet.resolve_precision(wanted, device) == expected
