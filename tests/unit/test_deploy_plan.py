"""From an endpoint as it is to one as the settings file has it: which fields change, which request says so."""

import pytest

from common.errors import ConfigurationError
from orchestrator.deploy.env_values import endpoint_variables
from orchestrator.deploy.plan import Wanted, planned

FIELDS = {"image": "ada/parley:1", "gpus": ["ADA_24", "AMPERE_24"], "min_cuda": "12.8", "max_workers": 2,
          "scaler": "queue_delay", "scaler_value": 4, "execution_timeout_s": 3600, "flashboot": True}  # fmt: skip
REMOTE = {
    "id": "ep1", "name": "parley-diarization -fb", "type": "QUEUE", "image": "ada/parley:1", "args": "", "disk": 20,
    "env": {"LOG_FORMAT": "json", "THEIRS": "kept"},
    "gpu": {"pools": ["ADA_24", "AMPERE_24"], "count": 1, "allowedCudaVersions": [], "minCudaVersion": "12.8"},
    "workers": {"min": 0, "max": 2, "idleTimeout": 30}, "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
    "timeout": 3_600_000, "flashboot": "FLASHBOOT", "dataCenterIds": [], "networkVolumes": [],
}  # fmt: skip


def step(fields=FIELDS, env=None, remote=REMOTE):
    wanted = Wanted(
        kind="diarization", name="parley-diarization", fields=fields, variables=endpoint_variables(env or {}, {})
    )
    return planned(wanted, [remote] if remote else [], {}, {})


def test_what_is_as_it_should_be_is_left_alone():
    assert (step().action, step().body, step().endpoint_id) == ("unchanged", {}, "ep1")
    assert step({**FIELDS, "excluded_gpus": [], "cuda_versions": []}).action == "unchanged"
    at_places = {**REMOTE, "dataCenterIds": ["EU-RO-1", "EU-CZ-1"]}
    assert step({**FIELDS, "data_centres": ["EU-CZ-1", "EU-RO-1"]}, remote=at_places).action == "unchanged"
    assert step(env={"LOG_FORMAT": "json"}).action == "unchanged"


def test_a_change_is_shown_and_its_group_is_sent_whole():
    changed = step({**FIELDS, "max_workers": 5, "image": "ada/parley:2"})
    assert [(one.field, one.before, one.after) for one in changed.changes] == [
        ("image", "ada/parley:1", "ada/parley:2"),
        ("max_workers", "2", "5"),
    ]
    assert changed.body == {
        "image": "ada/parley:2",
        "workers": {"min": 0, "max": 5, "idleTimeout": 30},
        "gpu": REMOTE["gpu"],  # with every change
    }


def test_the_order_of_gpus_and_cpus_is_the_order_of_preference():
    changed = step({**FIELDS, "gpus": ["AMPERE_24", "ADA_24"]})
    assert changed.body["gpu"]["pools"] == ["AMPERE_24", "ADA_24"]
    remote = {**REMOTE, "gpu": None, "cpu": [{"id": "cpu3c", "vcpuCount": 2}, {"id": "cpu5c", "vcpuCount": 2}]}
    fields = {"cpus": ["cpu5c x 2", "cpu3c x 2"]}
    assert step(fields, remote=remote).body == {
        "cpu": [{"id": "cpu5c", "vcpuCount": 2}, {"id": "cpu3c", "vcpuCount": 2}]
    }


def test_variables_that_are_not_ours_stay():
    changed = step(env={"LOG_FORMAT": "text", "METRICS_PORT": 9100})
    assert changed.body["env"] == {"LOG_FORMAT": "text", "THEIRS": "kept", "METRICS_PORT": "9100"}
    assert [(one.field, one.before, one.after) for one in changed.changes] == [
        ("env.LOG_FORMAT", "json", "text"),
        ("env.METRICS_PORT", None, "9100"),
    ]


def test_an_old_secret_is_not_shown():
    remote = {**REMOTE, "env": {"HF_TOKEN": "hf_old"}}
    changed = step(env={"HF_TOKEN": "{{ RUNPOD_SECRET_hf }}"}, remote=remote)
    assert [(one.before, one.after) for one in changed.changes] == [("another value", "{{ RUNPOD_SECRET_hf }}")]
    assert changed.body["env"] == {"HF_TOKEN": "{{ RUNPOD_SECRET_hf }}"}


def test_a_cuda_version_takes_the_place_of_the_other_way_to_say_it():
    by_set = {**REMOTE, "gpu": {**REMOTE["gpu"], "allowedCudaVersions": ["12.6"], "minCudaVersion": None}}
    assert step(remote=by_set).body["gpu"] == {
        "pools": ["ADA_24", "AMPERE_24"], "count": 1, "minCudaVersion": "12.8", "allowedCudaVersions": []
    }  # fmt: skip
    without = {name: value for name, value in FIELDS.items() if name != "min_cuda"}
    assert step({**without, "cuda_versions": ["12.9"]}).body["gpu"] == {
        "pools": ["ADA_24", "AMPERE_24"], "count": 1, "minCudaVersion": "", "allowedCudaVersions": ["12.9"]
    }  # fmt: skip


def test_exclusions_that_are_not_ours_outlive_a_change_of_pools():
    remote = {**REMOTE, "gpu": {**REMOTE["gpu"], "excludedTypes": ["NVIDIA L4"]}}
    assert step({**FIELDS, "gpus": ["ADA_24"]}, remote=remote).body["gpu"]["excludedTypes"] == ["NVIDIA L4"]


def test_a_scaler_that_knows_no_idle_timeout_is_sent_none():
    body = step({**FIELDS, "scaler": "request_count", "scaler_value": 2, "max_workers": 3}).body
    assert body["scaling"] == {"type": "REQUEST_COUNT", "requestCount": 2}
    assert body["workers"] == {"min": 0, "max": 3}


@pytest.mark.parametrize(
    ("remote", "said"),
    [
        ({**REMOTE, "type": "LOAD_BALANCER"}, "load balancing"),
        (
            {**REMOTE, "gpu": None, "cpu": [{"id": "cpu3c", "vcpuCount": 2}]},
            "runs on CPUs, the settings file wants GPUs",
        ),
    ],
)
def test_what_cannot_become_what_is_wanted_is_blocked(remote, said):
    blocked = step(remote=remote)
    assert (blocked.action, blocked.body, blocked.endpoint_id) == ("blocked", {}, "ep1")
    assert said in blocked.problem


def test_two_endpoints_of_one_name_are_refused_by_their_ids():
    wanted = Wanted(kind="diarization", name="parley-diarization", fields=FIELDS, variables={})
    with pytest.raises(ConfigurationError, match=r"2 endpoints .* parley-diarization \(ep1, ep2\); delete or rename"):
        planned(wanted, [REMOTE, {**REMOTE, "id": "ep2", "name": "parley-diarization"}], {}, {})


def test_an_image_that_is_not_said_stays_and_makes_no_endpoint():
    fields = {name: value for name, value in FIELDS.items() if name != "image"}
    assert step(fields).action == "unchanged"
    with pytest.raises(ConfigurationError, match="no endpoint parley-diarization; to make one, say image"):
        step(fields, remote=None)


@pytest.mark.parametrize(
    ("fields", "remote", "said"),
    [
        ({**FIELDS, "min_workers": 7, "max_workers": None}, None, "min_workers = 7 and max_workers = 3"),
        ({**FIELDS, "min_workers": 3, "max_workers": None}, REMOTE, "min_workers = 3 and max_workers = 2"),
        (
            {**FIELDS, "max_workers": 1},
            {**REMOTE, "workers": {"min": 2, "max": 2, "idleTimeout": 30}},
            "min_workers = 2 and max_workers = 1",
        ),
    ],
)
def test_more_workers_at_least_than_at_most_are_refused_before_anything_is_sent(fields, remote, said):
    with pytest.raises(ConfigurationError, match=said):
        step({name: value for name, value in fields.items() if value is not None}, remote=remote)
