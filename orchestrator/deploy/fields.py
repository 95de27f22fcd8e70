"""An endpoint's fields, by the names of the settings file, to and from RunPod's REST API.

Source: api.runpod.io/v2, `CreateEndpointRequest`, `UpdateEndpointRequest` and `Endpoint` of its OpenAPI document.
"""

from collections.abc import Collection, Mapping
from typing import Any

from orchestrator.deploy.settings_file import DeploySettings, Kind

Fields = dict[str, Any]

PLAIN = {  # of the file: of the API
    "image": "image",
    "disk_gb": "disk",
    "registry": "registry",
    "data_centres": "dataCenterIds",
    "network_volumes": "networkVolumes",
}
GPU = {
    "gpus": "pools",
    "excluded_gpus": "excludedTypes",
    "gpu_count": "count",
    "min_cuda": "minCudaVersion",
    "cuda_versions": "allowedCudaVersions",
}
WORKERS = {"min_workers": "min", "max_workers": "max", "idle_timeout_s": "idleTimeout"}
SCALERS = {"queue_delay": ("QUEUE_DELAY", "queueDelay"), "request_count": ("REQUEST_COUNT", "requestCount")}
GROUPS = {
    "gpu": tuple(GPU),
    "cpu": ("cpus",),
    "workers": tuple(WORKERS),
    "scaling": ("scaler", "scaler_value"),
    "timeout": ("execution_timeout_s",),
    "flashboot": ("flashboot",),
    **{theirs: (ours,) for ours, theirs in PLAIN.items()},
}


def wanted_fields(settings: DeploySettings, kind: Kind) -> Fields:
    """Return what the settings file says of an endpoint; its environment, name and model are not among it."""
    table = settings.table(kind)
    image = settings.image(kind)
    said: Fields = {} if image is None else {"image": image}
    if table.cpus is not None:
        said["cpus"] = [f"{cpu.id} x {cpu.vcpus}" for cpu in table.cpus]
    return said | table.model_dump(exclude={"name", "image", "model", "env", "cpus"}, exclude_none=True)


def observed_fields(remote: Mapping[str, Any]) -> Fields:
    """Return the same of an endpoint as RunPod describes it; what it does not tell is left out."""
    seen: Fields = {ours: remote.get(theirs) for ours, theirs in PLAIN.items()}
    seen |= {ours: (remote.get("gpu") or {}).get(theirs) for ours, theirs in GPU.items()}
    seen |= {ours: (remote.get("workers") or {}).get(theirs) for ours, theirs in WORKERS.items()}
    if cpus := remote.get("cpu"):
        seen["cpus"] = [f"{cpu['id']} x {cpu['vcpuCount']}" for cpu in cpus]
    scaling = remote.get("scaling") or {}
    for ours, (theirs, value) in SCALERS.items():
        if scaling.get("type") == theirs:
            seen |= {"scaler": ours, "scaler_value": scaling.get(value)}
    if remote.get("timeout") is not None:
        seen["execution_timeout_s"] = remote["timeout"] / 1000
    if remote.get("flashboot"):
        seen["flashboot"] = remote["flashboot"] != "OFF"
    return {name: value for name, value in seen.items() if value is not None}


def body_of(fields: Mapping[str, Any], groups: Collection[str] = tuple(GROUPS)) -> dict[str, Any]:
    """Return the part of a request that says `fields`, as far as they are of the given groups of the API."""
    made: dict[str, Any] = {theirs: fields[ours] for ours, theirs in PLAIN.items() if ours in fields}
    made["gpu"] = _renamed(fields, GPU) if "gpus" in fields else None
    made["workers"] = _renamed(fields, WORKERS) or None
    if "cpus" in fields:
        pairs = (cpu.split(" x ") for cpu in fields["cpus"])
        made["cpu"] = [{"id": name, "vcpuCount": int(count)} for name, count in pairs]
    if "scaler" in fields:
        theirs, value = SCALERS[fields["scaler"]]
        made["scaling"] = {"type": theirs, value: fields["scaler_value"]}
    if "execution_timeout_s" in fields:
        made["timeout"] = round(fields["execution_timeout_s"] * 1000)
    if "flashboot" in fields:
        made["flashboot"] = "FLASHBOOT" if fields["flashboot"] else "OFF"
    return {group: value for group, value in made.items() if group in groups and value is not None}


def overlaid(seen: Mapping[str, Any], wanted: Mapping[str, Any]) -> Fields:
    """Return what an endpoint is to have: what it has, with what is wanted over it, without contradiction."""
    both = {**seen, **wanted}
    if both.get("scaler") == "request_count":
        both.pop("idle_timeout_s", None)
    if wanted.get("min_cuda") and both.get("cuda_versions"):
        both["cuda_versions"] = []
    if wanted.get("cuda_versions") and both.get("min_cuda"):
        both["min_cuda"] = ""
    return both


def _renamed(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {theirs: fields[ours] for ours, theirs in names.items() if ours in fields}
