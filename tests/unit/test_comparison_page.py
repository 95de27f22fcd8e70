"""docs/comparison.md on NeMo: each file that it names is in the installed package, and has in it what the page says."""

import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.markdown_pages import pages
from tests.support.optional import needed

PAGE = pages()["docs/comparison.md"]
# What the page tells of NeMo: the file it names, what there makes it true.
FACTS = {
    "timestamp_utils.py": r"def get_forced_aligned_timestamps_with_external_model\(",
    "diarization_utils.py": r"def _get_word_timestamp_anchor\(",
    "multispk_transcribe_utils.py": r"class MultiTalkerInstanceManager\b",
    "label_models.py": r"class EncDecSpeakerLabelModel\b",
    "aed_multitask_models.py": r"class EncDecMultiTaskModel\b",
    "enhancement.py": r"class PredictiveAudioToAudioModel\b",
    "online_diarizer.py": r"class OnlineClusteringDiarizer\b",
    "multitalker_asr_models.py": r"class EncDecMultiTalkerRNNTBPEModel\b",
    "clustering_diarizer.py": r"class ClusteringDiarizer\b",
    "sortformer_diar_models.py": r"class SortformerEncLabelModel\b",
}


def nemo():
    """Return the folder of the package NeMo without importing it."""
    if find_spec("nemo") is None:
        needed("nemo")
    return Path(find_spec("nemo").submodule_search_locations[0])


@pytest.mark.parametrize(("name", "trace"), FACTS.items())
def test_what_is_said_of_nemo_is_in_its_code(name, trace):
    (path,) = nemo().glob(f"collections/*/**/{name}")
    assert re.search(trace, path.read_text(encoding="utf-8"))
    assert f"`{name}`" in PAGE


def test_it_is_the_version_that_is_installed():
    nemo()
    assert f") {version('nemo_toolkit')}, the package `nemo_toolkit`" in PAGE
