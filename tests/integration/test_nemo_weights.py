"""Tensors mapped from where `torch.save` wrote them inside another file, held against `torch.load`."""

import contextlib
import sys
import zipfile
from unittest import mock

import pytest
import torch

from handlers.nemo.weights import Weights, read_state_dict
from tests.support.nemo_archives import saved

MANY = torch.arange(24, dtype=torch.float32)
TENSORS = {
    "plain": torch.randn(3, 5),
    "transposed": torch.randn(4, 6).t(),
    "part": MANY[4:10],
    "other part of the same": MANY[8:20:2],
    "scalar": torch.tensor(7),
    "empty": torch.zeros(0, 3),
    "half": torch.randn(9).half(),
    "bool": torch.tensor([True, False]),
    "parameter": torch.nn.Parameter(torch.randn(2)),
}


def mapped(tmp_path, data, *, before=512, after=10_000, in_memory=False):
    """What is read from a file that holds the data between others, and that file."""
    path = tmp_path / "archive"
    path.write_bytes(b"\1" * before + data + b"\2" * after)
    (tmp_path / "part").write_bytes(data)
    loaded = mock.patch("handlers.nemo.weights._load", side_effect=AssertionError("not mapped"))
    with (tmp_path / "part").open("rb") as part, contextlib.nullcontext() if in_memory else loaded:
        return read_state_dict(Weights(file=part, path=path, offset=before)), path


def assert_all_equal(found):
    assert list(found) == list(TENSORS)
    for name, tensor in TENSORS.items():
        assert torch.equal(found[name], tensor), name
        assert (found[name].dtype, found[name].stride()) == (tensor.dtype, tensor.stride()), name


@pytest.mark.parametrize("before", [0, 512, 1536])
def test_tensors_come_out_as_they_went_in(before, tmp_path):
    found, _ = mapped(tmp_path, saved(TENSORS), before=before)
    assert_all_equal(found)


def test_what_is_written_to_a_tensor_does_not_reach_the_file(tmp_path):
    found, path = mapped(tmp_path, saved(TENSORS))
    content = path.read_bytes()
    with torch.no_grad():
        found["part"].fill_(-1.0)
    assert path.read_bytes() == content
    assert found["other part of the same"].tolist() == [-1.0, 10.0, 12.0, 14.0, 16.0, 18.0]


def test_weights_saved_from_a_gpu_come_to_the_cpu(tmp_path):
    with mock.patch("torch.serialization.location_tag", return_value="cuda:0"):
        data = saved(TENSORS)
    found, _ = mapped(tmp_path, data)
    assert_all_equal(found)
    assert {tensor.device.type for tensor in found.values()} == {"cpu"}


def test_a_zip_file_packed_anew_is_read_where_its_records_really_are(tmp_path):
    (tmp_path / "saved").write_bytes(saved(TENSORS))
    with (
        zipfile.ZipFile(tmp_path / "saved") as archive,
        zipfile.ZipFile(tmp_path / "anew", "w") as anew,
    ):
        for entry in archive.infolist():
            anew.writestr(entry.filename, archive.read(entry))
    found, _ = mapped(tmp_path, (tmp_path / "anew").read_bytes())
    assert_all_equal(found)


def test_the_old_format_is_read_into_memory(tmp_path):
    found, path = mapped(tmp_path, saved(TENSORS, _use_new_zipfile_serialization=False), in_memory=True)
    path.write_bytes(b"")
    assert_all_equal(found)


@pytest.mark.parametrize("tensor", [torch.tensor([1 + 2j, 3.0]), torch.tensor([1, 2], dtype=torch.uint16)])
def test_tensors_of_rare_types_are_read_into_memory(tensor, tmp_path):
    found, _ = mapped(tmp_path, saved({"rare": tensor}), in_memory=True)
    assert torch.equal(found["rare"], tensor)


def test_tensors_of_a_machine_with_another_order_of_bytes_are_read_into_memory(tmp_path):
    other = "big" if sys.byteorder == "little" else "little"
    with mock.patch("sys.byteorder", other):
        data = saved({"swapped": torch.tensor([1, 256])})
    found, _ = mapped(tmp_path, data, in_memory=True)
    assert found["swapped"].tolist() == torch.tensor([1, 256]).numpy().byteswap().tolist()
