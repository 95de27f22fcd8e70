"""NeMo's decoder around a network that is not there: batches in, words out, nothing left behind."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from common.errors import ConfigurationError, InvalidInputError, JobCancelledError
from handlers.transcription.nemo_decoder import NemoDecoder

FRAME_SAMPLES = 1280


class Layer:
    def __init__(self):
        self.hooks = []

    def register_forward_pre_hook(self, hook):
        self.hooks.append(hook)
        return SimpleNamespace(remove=lambda: self.hooks.remove(hook))

    def __call__(self):
        for hook in self.hooks:
            hook(self, None)


class Encoder:
    subsampling_factor = 8

    def __init__(self):
        self.layers = [Layer(), Layer()]
        self.batches = []

    def __call__(self, *, audio_signal, length):
        for layer in self.layers:
            layer()
        self.batches.append((tuple(audio_signal.shape), length.tolist(), audio_signal.dtype))
        return audio_signal[:, None, ::FRAME_SAMPLES], length // FRAME_SAMPLES


class Preprocessor:
    def float(self):
        return self

    def __call__(self, *, input_signal, length):
        return input_signal, length


class Tokenizer:
    unk_id = 0
    pieces = ("<unk>", "▁a", "b", ".")

    def ids_to_tokens(self, ids):
        return [self.pieces[number] for number in ids]

    def text_to_ids(self, text):
        return [1 if char == "a" else 0 for char in text]


class Search:
    """Calls the network's own search; `forgotten` counts how often captured graphs were given up."""

    def __init__(self, search):
        self.search = search
        self.forgotten = 0
        self.decoding_computer = SimpleNamespace(cuda_graphs_mode=None, reset_cuda_graphs_state=self.forget)

    def forget(self):
        self.forgotten += 1

    def __call__(self, **batch):
        return self.search(**batch)


class Network:
    """Hears "ab." in every window: from frame 3 to its last, the full stop after that."""

    joint = "there"

    def __init__(self):
        self.encoder, self.preprocessor, self.tokenizer = Encoder(), Preprocessor(), Tokenizer()
        self.decoder = SimpleNamespace(prediction={"dec_rnn": Layer()})
        self.decoding = SimpleNamespace(decoding=Search(self.search))
        self.cfg = OmegaConf.create(
            {"preprocessor": {"window_stride": 0.01}, "decoding": {"strategy": "tsd", "greedy": {"max_symbols": 7}}}
        )
        self.searched = []
        self.strategies = []

    def eval(self):
        return self

    def to(self, dtype):
        return self

    def change_decoding_strategy(self, config, *, verbose):
        self.strategies.append(config)

    def search(self, *, encoder_output, encoded_lengths):
        self.decoder.prediction["dec_rnn"]()
        self.searched.append((tuple(encoder_output.shape), encoded_lengths.tolist()))
        last = encoded_lengths.item()
        hypothesis = SimpleNamespace(
            y_sequence=torch.tensor([1, 2, 3]),
            timestamp=torch.tensor([3, 4, last]),
            token_duration=torch.tensor([1, last - 4, 2]),
            non_blank_frame_confidence=[0.9, 0.8, 0.1],
            score=-1.0,
        )
        return [[hypothesis]]

    @property
    def hooks(self):
        layers = [*self.encoder.layers, self.decoder.prediction["dec_rnn"]]
        return [hook for layer in layers for hook in layer.hooks]


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def decoder(network):
    return NemoDecoder(network, device="cpu")


def noise(seconds):
    return np.random.default_rng(0).uniform(0.1, 1, round(seconds * 16_000)).astype(np.float32)


def decoded(decoder, *lengths_s, ask=lambda: None):
    return decoder.decode(decoder.prepare([noise(length_s) for length_s in lengths_s]), ask)


def timed(words):
    return [(word.text, word.start, word.end, word.confidence) for word in words]


def test_pieces_become_words_with_times_from_frames(decoder):
    ((word,),) = decoded(decoder, 2.0)
    assert (word.text, word.confidence) == ("ab.", 0.8)
    assert (word.start, word.end) == pytest.approx((0.24, 2.0))


def test_short_windows_are_padded_to_a_second_and_their_words_clipped_back(decoder, network):
    ((word,),) = decoded(decoder, 0.5)
    assert network.encoder.batches == [((1, 16_000), [16_000], torch.float32)]
    assert (word.start, word.end) == pytest.approx((0.24, 0.5))


def test_windows_are_padded_on_the_right_and_searched_one_by_one_without_their_padding(decoder, network):
    batch = decoder.prepare([noise(1.6), noise(3.2)])
    assert batch.signal.shape == (2, 51_200)
    assert np.array_equal(batch.signal[0, :25_600].numpy(), noise(1.6))
    assert not batch.signal[0, 25_600:].any()
    first, second = decoder.decode(batch, lambda: None)
    assert network.searched == [((1, 1, 20), [20]), ((1, 1, 40), [40])]
    assert [first[0].end, second[0].end] == pytest.approx([1.6, 3.2])


def test_a_window_whose_output_is_not_finite_is_told_and_the_others_are_heard(decoder):
    batch = decoder.prepare([noise(1.6), noise(3.2), noise(2.0)])
    batch.signal[1, 0] = float("nan")
    first, second, third = decoder.decode(batch, lambda: None)
    assert second is None
    assert [first[0].end, third[0].end] == pytest.approx([1.6, 2.0])


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_stopped_job_ends_inside_a_window_and_leaves_no_hooks(decoder, network, at):
    asked = []

    def ask():
        asked.append(len(network.hooks))
        if len(asked) == at:
            raise JobCancelledError("stopped")

    with pytest.raises(JobCancelledError):
        decoded(decoder, 1.0, 1.0, ask=ask)
    assert asked == [3] * at
    assert network.hooks == []


def test_a_model_without_a_joint_network_is_a_mistake_in_the_settings():
    with pytest.raises(ConfigurationError, match="no transducer: choose a Parakeet TDT or RNNT"):
        NemoDecoder(SimpleNamespace(), device="cpu")


def test_the_models_own_search_is_made_greedy_and_the_rest_of_it_kept(decoder, network):
    (strategy,) = network.strategies
    assert (strategy.strategy, strategy.tdt_include_token_duration) == ("greedy_batch", True)
    assert strategy.greedy == {"max_symbols": 7, "use_cuda_graph_decoder": False, "loop_labels": True}


def test_phrases_are_boosted_inside_the_context_only(decoder, network):
    with contextlib.suppress(JobCancelledError), decoder.expecting(("aa", "a")):
        assert network.strategies[-1].greedy.boosting_tree.key_phrases_list == ["aa", "a"]
        raise JobCancelledError("stopped")
    assert network.strategies[-1] == network.strategies[0]
    with decoder.expecting(()):
        assert len(network.strategies) == 3  # nothing to rebuild


@pytest.mark.parametrize("phrase", ["???", "${a", "", "–"])
def test_what_is_no_word_is_no_hotword(decoder, network, phrase):
    with pytest.raises(InvalidInputError, match="is no word") as caught, decoder.expecting(["a", phrase]):
        raise AssertionError("not reached")
    assert caught.value.param == "hotwords"
    assert len(network.strategies) == 1


@pytest.mark.parametrize("phrase", ["ab"])
def test_a_phrase_that_cannot_be_spelled_is_the_callers_mistake(decoder, network, phrase):
    with (
        pytest.raises(InvalidInputError, match=f"no letters to spell '{phrase}'") as caught,
        decoder.expecting(["a", phrase]),
    ):
        raise AssertionError("not reached")
    assert caught.value.param == "hotwords"
    assert len(network.strategies) == 1


def test_what_is_careful_is_computed_in_float32_and_the_next_as_before(network):
    decoder = NemoDecoder(network, device="cpu", precision="bfloat16")
    decoded(decoder, 1.0)
    with contextlib.suppress(JobCancelledError), decoder.careful():
        decoded(decoder, 1.0)
        raise JobCancelledError("stopped")
    decoded(decoder, 1.0)
    assert [dtype for *_, dtype in network.encoder.batches] == [torch.bfloat16, torch.float32, torch.bfloat16]
    assert network.decoding.decoding.forgotten == 3  # graphs captured for another type of numbers
