"""Loading NeMo checkpoints by mapping their weights, held against NeMo's own way with the tiny Parakeet."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from handlers.nemo import checkpoint as nemo_checkpoint
from handlers.nemo.checkpoint import restore
from handlers.nemo.quiet_import import import_nemo, quiet
from handlers.transcription.nemo_decoder import NemoDecoder
from tests.support.nemo_archives import WEIGHTS, pack, saved, unpack

pytestmark = pytest.mark.model

TINY = Path(__file__).parent.parent / "fixtures" / "tiny_parakeet" / "tiny-parakeet-tdt.nemo"


def restored_by_nemo(checkpoint):
    with quiet():
        return import_nemo().restore_from(str(checkpoint), map_location="cpu")


def computed(network):
    """The encoder's output, the joint's logits for the first decoder state, and the words, for one second of noise."""
    noise = np.random.default_rng(0).standard_normal(16_000, np.float32)
    network.eval()
    with quiet(), torch.inference_mode():
        length = torch.tensor([len(noise)])
        encoded, _ = network(input_signal=torch.from_numpy(noise)[None], input_signal_length=length)
        predicted, _ = network.decoder.predict(None, add_sos=False, batch_size=1)
        logits = network.joint.joint(encoded.transpose(1, 2), predicted)
    decoder = NemoDecoder(network, device="cpu")
    return encoded, logits, decoder.decode(decoder.prepare([noise]), lambda: None)


def assert_same(network, other):
    tensors, others = ({**one.state_dict(), **dict(one.named_buffers())} for one in (network, other))
    assert tensors.keys() == others.keys()
    assert all(tensor.dtype == others[name].dtype for name, tensor in tensors.items())
    assert all(torch.equal(tensor, others[name]) for name, tensor in tensors.items())
    (encoded, logits, words), (other_encoded, other_logits, other_words) = computed(network), computed(other)
    assert torch.equal(encoded, other_encoded)
    assert torch.equal(logits, other_logits)
    assert words == other_words


@pytest.fixture(scope="module")
def plain():
    return restored_by_nemo(TINY)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    return unpack(TINY, tmp_path_factory.mktemp("unpacked"))


@pytest.fixture(scope="module")
def full_precision(plain, tmp_path_factory):
    """The tiny model in 32 bits, which is how the full-size ones are published."""
    path = tmp_path_factory.mktemp("full_precision") / "tiny.nemo"
    with quiet():
        plain.save_to(str(path))
    return path


def test_weights_stored_in_16_bits_become_the_network_s_32(plain):
    network = restore(TINY, device="cpu", variable="MODEL_ID")
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert_same(network, plain)


def test_weights_are_a_private_mapping_and_the_file_stays_as_it_is(full_precision, plain):
    before = hashlib.sha256(full_precision.read_bytes()).hexdigest()
    network = restore(full_precision, device="cpu", variable="MODEL_ID")
    assert_same(network, plain)
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if str(full_precision) in line]
    assert [fields[1] for fields in lines] == ["rw-p"]
    first, last = (int(address, 16) for address in lines[0][0].split("-"))
    assert all(first <= parameter.data_ptr() < last for parameter in network.parameters())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1.0)
    assert hashlib.sha256(full_precision.read_bytes()).hexdigest() == before


def test_the_network_outlives_its_file(full_precision, plain, tmp_path):
    copy = tmp_path / "copy.nemo"
    copy.write_bytes(full_precision.read_bytes())
    network = restore(copy, device="cpu", variable="MODEL_ID")
    copy.unlink()
    assert_same(network, plain)


def test_the_lstm_computes_with_the_mapped_weights(full_precision):
    lstm = restore(full_precision, device="cpu", variable="MODEL_ID").decoder.prediction["dec_rnn"].lstm
    used = dict(zip(lstm._flat_weights_names, lstm._flat_weights, strict=True))
    assert list(used) == ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    assert all(weight is getattr(lstm, name) for name, weight in used.items())


def test_nothing_is_filled_at_random(full_precision):
    torch.manual_seed(0)
    untouched = torch.random.get_rng_state()
    restore(full_precision, device="cpu", variable="MODEL_ID")
    assert torch.equal(torch.random.get_rng_state(), untouched)
    restored_by_nemo(full_precision)
    assert not torch.equal(torch.random.get_rng_state(), untouched)


def test_a_random_model_with_its_weights_first_in_the_archive(unpacked, tmp_path):
    generator = torch.Generator().manual_seed(1)
    weights = torch.load(unpacked / WEIGHTS, weights_only=True)
    for name, tensor in weights.items():
        if tensor.is_floating_point():
            weights[name] = torch.rand(tensor.shape, generator=generator) / 10
    checkpoint = pack(unpacked, tmp_path / "random.nemo", weights=saved(weights))
    assert_same(restore(checkpoint, device="cpu", variable="MODEL_ID"), restored_by_nemo(checkpoint))


@pytest.mark.parametrize("kind", ["folder", "gzip", "legacy"])
def test_other_forms_of_the_same_checkpoint(kind, unpacked, plain, tmp_path):
    checkpoint = unpacked
    if kind == "gzip":
        checkpoint = pack(unpacked, tmp_path / "old.nemo", mode="w:gz")
    if kind == "legacy":
        weights = torch.load(unpacked / WEIGHTS, weights_only=True)
        old_format = saved(weights, _use_new_zipfile_serialization=False)
        checkpoint = pack(unpacked, tmp_path / "legacy.nemo", weights=old_format)
    assert_same(restore(checkpoint, device="cpu", variable="MODEL_ID"), plain)


@pytest.mark.parametrize(("mode", "extracted"), [("w:", False), ("w:gz", True)])
def test_the_weights_are_extracted_only_if_compressed(mode, extracted, unpacked, tmp_path, monkeypatch):
    seen = {}

    def spy(folder):
        seen[folder] = {path.name for path in folder.iterdir()}
        return read(folder)

    read = nemo_checkpoint._configuration
    monkeypatch.setattr(nemo_checkpoint, "_configuration", spy)
    restore(pack(unpacked, tmp_path / "model.nemo", mode=mode), device="cpu", variable="MODEL_ID")
    ((folder, files),) = seen.items()
    assert {path.name for path in unpacked.iterdir()} - files == (set() if extracted else {WEIGHTS})
    assert not folder.exists()


def test_importing_the_module_imports_neither_torch_nor_nemo():
    code = "import sys, handlers.nemo.checkpoint; print({'torch', 'nemo'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_configuration_that_is_not_resolved_is_left_to_nemo(unpacked, plain):
    folder = unpack(TINY, unpacked.parent / "unresolved")
    config = folder / "model_config.yaml"
    config.write_text(f"{config.read_text()}\nnote: ${{sample_rate}}\n")
    network = restore(folder, device="cpu", variable="MODEL_ID")
    assert type(network) is type(plain)
    assert network.cfg.note == 16_000
    assert_same(network, plain)


def test_with_another_nemo_the_model_is_built_by_it(plain, monkeypatch, caplog):
    def moved(config, folder):
        raise ImportError("cannot import name 'RNNTBPEDecoding'")

    monkeypatch.setattr("handlers.nemo.transducer.Transducer", moved)
    with caplog.at_level("INFO"):
        assert type(restore(TINY, device="cpu", variable="MODEL_ID")) is type(plain)
    assert [record.message.split()[0] for record in caplog.records] == ["lean_import_failed"]
