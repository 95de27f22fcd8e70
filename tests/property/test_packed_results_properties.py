import asyncio
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import OutputTooLargeError
from common.packed_results import packed, unpacked

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
RESULTS = st.dictionaries(st.text().filter(lambda key: key != "packed") | st.sampled_from(["model", "text"]), VALUES)


def encodable(value):
    try:
        return bool(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return False


@settings(max_examples=50)
@given(result=RESULTS.filter(encodable), limit_bytes=st.integers(0, 3000))
def test_unpacking_undoes_packing_within_the_limit(result, limit_bytes):
    try:
        output = packed(result, limit_bytes=limit_bytes, store=None)
    except OutputTooLargeError:
        assert len(json.dumps({"output": result}, ensure_ascii=False).encode()) > limit_bytes
        return
    assert len(json.dumps({"output": output}, ensure_ascii=False).encode()) <= limit_bytes
    assert asyncio.run(unpacked(output, allow_private_addresses=False)) == result


@settings(max_examples=20)
@given(result=RESULTS.filter(encodable), repeats=st.integers(200, 400))
def test_long_results_survive_compression(result, repeats):
    long = {"text": "word " * repeats, "more": [result] * repeats}
    whole = len(json.dumps({"output": long}, ensure_ascii=False).encode())
    output = packed(long, limit_bytes=whole - 1, store=None)
    assert output.keys() == {"packed"}
    assert asyncio.run(unpacked(output, allow_private_addresses=False)) == long
