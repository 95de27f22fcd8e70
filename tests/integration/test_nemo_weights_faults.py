"""Weights that are damaged, or made to do harm: an error that is known, and a process that is as it was."""

import pickle
import struct

import pytest
import torch

from handlers.nemo import weights as nemo_weights
from handlers.nemo.checkpoint import DAMAGED
from handlers.nemo.quiet_import import quiet
from handlers.nemo.weights import Weights, read_state_dict
from tests.support.nemo_archives import saved, with_pickle

KNOWN = (*DAMAGED, pickle.UnpicklingError)
TENSORS = {"a": torch.arange(12.0).reshape(3, 4), "b": torch.ones(5)}
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
PARAMETER = b"ctorch._utils\n_rebuild_parameter\n"
DIRECTORY, OFFSET_AT = b"PK\1\2", 42  # an entry of a zip file's directory, and where in it its header's offset is


def read(tmp_path, data):
    path = tmp_path / "weights"
    path.write_bytes(data)
    with path.open("rb") as file, quiet():
        return read_state_dict(Weights(file=file, path=path, offset=0))


def tensor(*, kind=b"ctorch\nFloatStorage\n", shape=b"I12\n"):
    """A pickle of one tensor by name, in the oldest protocol."""
    place = b"(S'storage'\n" + kind + b"S'0'\nS'cpu'\nI12\ntQ"
    return b"(dS'a'\n" + REBUILD + b"(" + place + b"I0\n(" + shape + b"t(I1\ntI00\nNtRs."


def test_the_pickle_that_the_others_here_differ_from_is_read(tmp_path):
    found = read(tmp_path, with_pickle(saved(TENSORS), tensor()))
    assert found["a"].tolist() == [float(value) for value in range(12)]


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(b"\x80\x04\x8d" + b"\xff" * 8 + b"abc", id="a text of 2^64 - 1 bytes"),
        pytest.param(b"\x80\x02Nr\xff\xff\xff\x7f.", id="a memo of 2^31 entries"),
        pytest.param(tensor(shape=b"L1180591620717411303424L\n"), id="2^70 values"),
        pytest.param(tensor(shape=b"F3.0\n"), id="a fraction of values"),
        pytest.param(tensor()[:-5], id="cut short"),
        pytest.param(tensor(kind=b"S'load'\n"), id="a function of torch's as the type"),
        pytest.param(tensor(kind=b"S'complex64'\n", shape=b"I6\n"), id="a type by another name than torch's"),
    ],
)
def test_damaged_pickles(stored, tmp_path):
    with pytest.raises(KNOWN):
        read(tmp_path, with_pickle(saved(TENSORS), stored))


def test_an_entry_that_lies_past_the_end(tmp_path):
    data = bytearray(saved(TENSORS))
    struct.pack_into("<I", data, data.rindex(DIRECTORY) + OFFSET_AT, len(data) - 28)
    with pytest.raises(KNOWN):
        read(tmp_path, bytes(data))


@pytest.mark.parametrize("value", [0, 255])
def test_no_byte_of_the_directory_can_cause_another_error(value, tmp_path):
    data, unread = saved(TENSORS), 0
    for position in range(data.index(DIRECTORY), len(data)):
        try:
            read(tmp_path, data[:position] + bytes([value]) + data[position + 1 :])
        except KNOWN:
            unread += 1
    assert unread > 0


def changeable():
    """All that an assignment to one of the module's functions and classes could change."""
    own = {name: value for name, value in vars(nemo_weights).items() if callable(value)}
    parts = ("__dict__", "__defaults__", "__kwdefaults__")
    return {name: [repr(getattr(value, part, None)) for part in parts] for name, value in own.items()}


@pytest.mark.parametrize("found", [REBUILD, PARAMETER, b"ccollections\nOrderedDict\n"])
@pytest.mark.parametrize(
    "assigned",
    [
        pytest.param(b"S'__defaults__'\n(I1\nt", id="defaults"),
        pytest.param(b"S'__kwdefaults__'\n}S'first'\nI1\ns", id="keyword defaults"),
        pytest.param(b"S'anything'\nI1\n", id="attribute"),
    ],
)
@pytest.mark.parametrize("state", [b"(N}%sst", b"}%ss"], ids=["as slots", "as a dictionary"])
def test_a_pickle_cannot_change_what_makes_its_tensors(state, assigned, found, tmp_path):
    before = changeable()
    with pytest.raises(KNOWN):
        read(tmp_path, with_pickle(saved(TENSORS), found + state % assigned + b"b."))
    assert changeable() == before
    assert read(tmp_path, saved(TENSORS))["a"].tolist() == TENSORS["a"].tolist()
