"""Checkpoints that are damaged, incomplete, unsafe or of another model: one clear error each, and no trace left."""

from pathlib import Path

import pytest
import torch

from common.errors import ConfigurationError
from handlers.nemo.checkpoint import CONFIG, restore
from tests.support.nemo_archives import WEIGHTS, pack, saved, unpack, with_pickle

pytestmark = pytest.mark.model

TINY = Path(__file__).parent.parent / "fixtures" / "tiny_parakeet" / "tiny-parakeet-tdt.nemo"


class Unsafe:
    """Anything but a tensor."""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    return unpack(TINY, tmp_path_factory.mktemp("unpacked"))


@pytest.fixture
def weights(unpacked):
    return torch.load(unpacked / WEIGHTS, weights_only=True)


def fault(checkpoint):
    from nemo.utils.app_state import AppState  # noqa: PLC0415 - takes 20 s

    with pytest.raises(ConfigurationError) as caught:
        restore(checkpoint, device="cpu", variable="DIARIZATION_MODEL")
    assert str(checkpoint.parent) not in caught.value.message
    assert caught.value.message.endswith(
        "): download or copy it again, or set DIARIZATION_MODEL to another that NeMo 3.0 can restore"
    )
    assert (AppState().is_model_being_restored, AppState().nemo_file_folder) == (False, None)
    return caught.value.message


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n" * 50, id="pointer"),
        pytest.param(TINY.read_bytes()[:1000], id="cut in the first member"),
        pytest.param(TINY.read_bytes()[:1_000_000], id="cut in the weights"),
        pytest.param(TINY.read_bytes()[:250_000], id="cut before the configuration"),
    ],
)
def test_files_that_are_no_whole_archive(content, tmp_path):
    (tmp_path / "model.nemo").write_bytes(content)
    assert "damaged, cut short or none of NeMo's" in fault(tmp_path / "model.nemo")


def test_a_compressed_archive_cut_short(unpacked, tmp_path):
    checkpoint = pack(unpacked, tmp_path / "model.nemo", mode="w:gz")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100_000])
    assert "damaged, cut short or none of NeMo's" in fault(checkpoint)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_member_is_missing(name, unpacked, tmp_path):
    assert f"({name} is missing)" in fault(pack(unpacked, tmp_path / "model.nemo", leave_out=name))


def test_the_file_is_missing(tmp_path):
    assert "(model.nemo is missing)" in fault(tmp_path / "model.nemo")


def test_a_folder_of_something_else(tmp_path):
    assert f"({WEIGHTS} is missing)" in fault(tmp_path)


def test_a_configuration_that_is_no_yaml(unpacked, tmp_path):
    folder = unpack(TINY, tmp_path / "unpacked")
    (folder / CONFIG).write_text("a: [")
    assert f"({CONFIG} is no YAML)" in fault(folder)


@pytest.mark.parametrize("cut", [lambda data: data[: len(data) // 2], lambda data: data[:-30], lambda data: b"PK\3\4"])
def test_weights_cut_short_in_a_whole_archive(cut, unpacked, tmp_path):
    data = cut((unpacked / WEIGHTS).read_bytes())
    assert "damaged, cut short or none of NeMo's" in fault(pack(unpacked, tmp_path / "model.nemo", weights=data))


def test_weights_with_a_length_that_no_memory_holds(unpacked, tmp_path):
    data = with_pickle((unpacked / WEIGHTS).read_bytes(), b"\x80\x04\x8d" + b"\xff" * 8)
    assert "damaged" in fault(pack(unpacked, tmp_path / "model.nemo", weights=data))


@pytest.mark.parametrize("zipped", [True, False])
def test_weights_that_are_code_are_not_run(zipped, unpacked, tmp_path):
    data = saved({"weight": Unsafe()}, _use_new_zipfile_serialization=zipped)
    assert "not safe to load" in fault(pack(unpacked, tmp_path / "model.nemo", weights=data))


@pytest.mark.parametrize("value", [[torch.zeros(1)], {"epoch": 3}])
def test_weights_that_are_not_tensors_by_name(value, unpacked, tmp_path):
    assert "not tensors by name" in fault(pack(unpacked, tmp_path / "model.nemo", weights=saved(value)))


def test_a_weight_is_missing(unpacked, weights, tmp_path):
    del weights["joint.pred.bias"]
    message = fault(pack(unpacked, tmp_path / "model.nemo", weights=saved(weights)))
    assert "do not fit its configuration (1 missing, such as joint.pred.bias)" in message


def test_a_weight_is_too_much(unpacked, weights, tmp_path):
    weights["joint.pred.extra"] = torch.zeros(3)
    message = fault(pack(unpacked, tmp_path / "model.nemo", weights=saved(weights)))
    assert "do not fit its configuration (1 too many, such as joint.pred.extra)" in message


def test_a_weight_has_another_shape(unpacked, weights, tmp_path):
    weights["joint.pred.bias"] = torch.zeros(3)
    message = fault(pack(unpacked, tmp_path / "model.nemo", weights=saved(weights)))
    assert "size mismatch for joint.pred.bias" in message
