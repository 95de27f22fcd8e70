"""A Parakeet without most of NeMo, in a process that has imported nothing else, held against NeMo's own way."""

import json
import subprocess
import sys

import pytest

from handlers.nemo.quiet_import import import_nemo, quiet
from tests.support.parakeet_hearing import TINY, hearing

pytestmark = pytest.mark.model

UNUSED = {
    *("nemo", "lightning", "pytorch_lightning", "hydra", "lhotse", "datasets", "webdataset", "transformers"),
    *("pandas", "pyarrow", "matplotlib", "scipy", "sklearn", "numba", "librosa", "sympy", "networkx", "torchmetrics"),
    *("onnx", "redis", "rich", "opentelemetry", "nv_one_logger", "torch._dynamo"),
}
PROGRAM = """
import json, sys
from handlers.device import let_others_compute
let_others_compute()
from handlers.nemo.checkpoint import restore
from tests.support.parakeet_hearing import TINY, hearing
heard = hearing(restore(TINY, device="cpu", variable="MODEL_ID"))
print(json.dumps({"heard": heard, "modules": sorted(sys.modules)}))
"""


@pytest.fixture(scope="module")
def lean():
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    return json.loads(ran.stdout)


def test_what_is_heard_is_the_same_to_the_bit(lean):
    with quiet():
        network = import_nemo().restore_from(str(TINY), map_location="cpu")
    assert type(network).__module__ == "nemo.collections.asr.models.rnnt_bpe_models"
    heard = hearing(network)
    assert lean["heard"] == heard
    assert heard[0] != heard[1] != heard[3]  # the noise and the hotwords tell


def test_most_of_nemo_and_what_it_imports_is_not_imported(lean):
    assert UNUSED & set(lean["modules"]) == set()
    assert len([name for name in lean["modules"] if name.startswith("lean_nemo.")]) < 200
