import pytest
import yaml

from common.errors import ConfigurationError
from common.settings import DiarizationSettings
from handlers.diarization.pipeline_parameters import METHODS, check_parameters
from handlers.diarization.pipelines import locate
from tests.support.pyannote_repos import CONFIG_31, CONFIG_COMMUNITY_1

PLACES = {
    "segmentation_step": b"    segmentation_batch_size: 32\n",
    "params.segmentation.min_duration_off": b"    min_duration_off: 0.0\n",
    "params.clustering.method": b"    method: centroid\n",
    "params.clustering.min_cluster_size": b"    min_cluster_size: 12\n",
    "params.clustering.threshold": b"    threshold: 0.7045654963945799\n",
    "params.clustering.Fa": b"    Fa: 0.07\n",
    "params.clustering.Fb": b"    Fb: 0.8\n",
}
AT_LEAST_0 = "a number of at least 0"


def config_with(parameter, value):
    published = CONFIG_31 if PLACES[parameter] in CONFIG_31 else CONFIG_COMMUNITY_1
    line = f"    {parameter.rpartition('.')[2]}: {value}\n".encode()
    assert PLACES[parameter] in published
    return published.replace(PLACES[parameter], line)


@pytest.mark.parametrize(
    ("parameter", "value", "wanted"),
    [
        *(("segmentation_step", value, "a number above 0 and up to 1") for value in ("0", "-1", "1.1", "fast", "null")),
        *(("params.segmentation.min_duration_off", value, AT_LEAST_0) for value in ("null", "-5", ".nan")),
        *(("params.clustering.threshold", value, AT_LEAST_0) for value in ("abc", '"0.7"', ".inf", "true")),
        *(("params.clustering.method", value, "one of average, centroid") for value in ("nonsense", "[ward]", "null")),
        *(("params.clustering.min_cluster_size", value, "a whole number of at least 1") for value in ("1.5", "0", "x")),
        *(("params.clustering.Fa", value, "a number above 0") for value in ("0", "x")),
        *(("params.clustering.Fb", value, "a number above 0") for value in ("0.0", "[]")),
    ],
)
def test_a_parameter_that_no_job_could_run_with_is_named(parameter, value, wanted):
    with pytest.raises(ConfigurationError) as caught:
        check_parameters(yaml.safe_load(config_with(parameter, value)), "mine")
    assert caught.value.message.startswith(f"`{parameter}` in the config.yaml of mine must be {wanted}")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        *(("segmentation_step", value) for value in ("1", "0.05")),
        *(("params.segmentation.min_duration_off", value) for value in ("0", "1.5")),
        *(("params.clustering.threshold", value) for value in ("0", "2")),
        *(("params.clustering.method", value) for value in METHODS),
        *(("params.clustering.min_cluster_size", value) for value in ("1", "20", "12.0")),
        *(("params.clustering.Fb", value) for value in ("15", "0.01")),
    ],
)
def test_parameters_that_pyannote_runs_with_pass(parameter, value):
    check_parameters(yaml.safe_load(config_with(parameter, value)), "mine")


@pytest.mark.parametrize("part", ["params", "freeze"])
def test_parameters_that_are_no_mapping_are_named(part):
    config = yaml.safe_load(CONFIG_31)
    for label, value in ((part, None), (f"{part}.clustering", 3)):
        with pytest.raises(ConfigurationError, match=f"`{label}` in the config.yaml of mine must be a list"):
            check_parameters(config | {part: {"clustering": value} if "." in label else value}, "mine")


def test_what_is_left_out_or_unknown_is_left_to_pyannote():
    config = yaml.safe_load(CONFIG_31)
    del config["params"]
    check_parameters(config, "mine")
    check_parameters(config | {"params": {"clustering": {"zz": None}, "colour": "red"}}, "mine")


def test_parameters_are_checked_before_the_models_are_looked_for(tmp_path):
    (tmp_path / "config.yaml").write_bytes(config_with("segmentation_step", "0"))
    settings = DiarizationSettings(model=str(tmp_path), device="cpu", token="", model_store=tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="`segmentation_step` in the config"):
        locate(settings)
