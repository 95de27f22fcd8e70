"""What is to be done: for each endpoint of the settings file, make it, change it field by field, or leave it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from common.errors import ConfigurationError
from orchestrator.deploy.env_values import EndpointVariable, endpoint_variables, may_be_shown, token_not_needed
from orchestrator.deploy.fields import GROUPS, Fields, body_of, observed_fields, overlaid, wanted_fields
from orchestrator.deploy.remote import Remote, found, most_workers
from orchestrator.deploy.settings_file import DeploySettings, Kind

# the last one's environment names the first two
ORDER: tuple[Kind, ...] = ("diarization", "transcription", "combined", "orchestrator")
IDS: Mapping[Kind, str] = {"diarization": "DIARIZATION_ENDPOINT_ID", "transcription": "TRANSCRIPTION_ENDPOINT_ID"}
NEVER = "it cannot be changed; give this one another name in the settings file, or delete that one in the console"
MAX_WORKERS = 3  # what RunPod gives an endpoint by itself
IN_ORDER = ("gpus", "cpus")  # lists in which what comes first is preferred


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One endpoint as the settings file has it.

    `links` are variables with another endpoint's id, by its kind; `left_out` are variables of the file that are not
    set in this shell, and not needed.
    """

    kind: Kind
    name: str
    fields: Fields
    variables: Mapping[str, EndpointVariable]
    links: Mapping[str, Kind] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One field: what it is, None where there is nothing yet, and what it is to be."""

    field: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is to be done with one endpoint, and the request that does it.

    `blocked` is one that is there and cannot become what is wanted, for the `problem`. `workers` are the most that it
    may have, before and after.
    """

    wanted: Wanted
    action: Literal["create", "update", "unchanged", "blocked"]
    changes: Sequence[Change] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    endpoint_id: str | None = None
    workers: tuple[int, int] = (0, 0)
    problem: str = ""


def wanted_endpoints(settings: DeploySettings, env: Mapping[str, str]) -> list[Wanted]:
    """Return the endpoints in the order in which they are made; raises ConfigurationError for what cannot be."""
    return [_wanted(settings, kind, env) for kind in ORDER if kind in settings.endpoints]


def _wanted(settings: DeploySettings, kind: Kind, env: Mapping[str, str]) -> Wanted:
    table = settings.table(kind)
    variables = endpoint_variables(table.env, env)
    left_out = token_not_needed(kind, variables)
    links: dict[str, Kind] = {}
    if kind == "orchestrator":
        links = {name: child for child, name in IDS.items() if child in settings.endpoints and name not in variables}
        missing = [name for name in (*IDS.values(), "RUNPOD_API_KEY") if name not in {*variables, *links}]
        if missing:
            raise ConfigurationError(f"[orchestrator.env] needs {', '.join(missing)}", param=missing[0])
    return Wanted(
        kind=kind,
        name=settings.endpoint_name(kind),
        fields=wanted_fields(settings, kind),
        variables={name: one for name, one in variables.items() if name not in left_out},
        links=links,
        left_out=tuple(left_out),
        model=table.model,
    )


def planned(wanted: Wanted, remotes: Sequence[Remote], ids: Mapping[Kind, str], names: Mapping[Kind, str]) -> Step:
    """Return the step for one endpoint; `ids` are those of the endpoints that are there.

    Raises ConfigurationError for what RunPod would refuse, and EndpointError for an endpoint of an unknown form.
    """
    remote = found(wanted.name, remotes)
    linked = {
        name: EndpointVariable(ids.get(child), ids.get(child, f"the id of {names[child]}"), hidden=False)
        for name, child in wanted.links.items()
    }
    variables = {**linked, **wanted.variables}
    return _creation(wanted, variables) if remote is None else _adjustment(wanted, variables, remote)


def _creation(wanted: Wanted, variables: Mapping[str, EndpointVariable]) -> Step:
    if "image" not in wanted.fields:
        raise ConfigurationError(
            f"there is no endpoint {wanted.name}; to make one, say image in [{wanted.kind}], or images on top",
            param="image",
        )
    workers = _most_workers(wanted, wanted.fields)
    changes = [Change(name, None, text) for name, value in wanted.fields.items() if (text := _text(value))]
    changes += [Change(f"env.{name}", None, variable.shown) for name, variable in variables.items()]
    body = {"name": wanted.name, "type": "QUEUE", **body_of(wanted.fields), "env": _values(variables)}
    return Step(wanted=wanted, action="create", changes=changes, body=body, workers=(0, workers))


def _adjustment(wanted: Wanted, variables: Mapping[str, EndpointVariable], remote: Remote) -> Step:
    seen, endpoint_id = observed_fields(remote), str(remote["id"])
    if problem := _problem(wanted, remote):
        workers = seen.get("max_workers", 0)
        return Step(
            wanted=wanted, action="blocked", endpoint_id=endpoint_id, workers=(workers, workers), problem=problem
        )
    both, env = overlaid(seen, wanted.fields), remote.get("env", {})
    workers = (seen.get("max_workers", MAX_WORKERS), _most_workers(wanted, both))
    changes = [
        Change(name, _text(seen.get(name)), _text(value) or "")
        for name, value in wanted.fields.items()
        if _comparable(name, value) != _comparable(name, seen.get(name))
    ]
    body = body_of(both, [group for group, own in GROUPS.items() if any(change.field in own for change in changes)])
    of_env = [change for name, one in variables.items() if (change := _env_change(name, one, env.get(name)))]
    if of_env:
        body["env"] = {**env, **_values(variables)}
    if body:  # some hosts of the API make the GPUs anew at each change, of what the change says of them
        body |= body_of(both, ["gpu"])
    return Step(
        wanted=wanted,
        action="update" if body else "unchanged",
        changes=[*changes, *of_env],
        body=body,
        endpoint_id=endpoint_id,
        workers=workers,
    )


def _values(variables: Mapping[str, EndpointVariable]) -> dict[str, str]:
    return {name: variable.value for name, variable in variables.items() if variable.value is not None}


def _env_change(name: str, variable: EndpointVariable, before: str | None) -> Change | None:
    if variable.value is None or variable.value == before:
        return None
    shown = before is None or (not variable.hidden and may_be_shown(name, before))
    return Change(f"env.{name}", before if shown else "another value", variable.shown)


def _problem(wanted: Wanted, remote: Remote) -> str:
    if remote.get("type", "QUEUE") != "QUEUE":
        return f"{wanted.name} is a load balancing endpoint, Parley's are queues; {NEVER}"
    if ("cpus" in wanted.fields) != bool(remote.get("cpu")):
        has, needs = ("CPUs", "GPUs") if remote.get("cpu") else ("GPUs", "CPUs")
        return f"{wanted.name} runs on {has}, the settings file wants {needs}; {NEVER}"
    return ""


def _most_workers(wanted: Wanted, fields: Fields) -> int:
    """Return the most workers that an endpoint with these fields may have; raises where the least are more."""
    most = int(fields.get("max_workers", MAX_WORKERS))
    if fields.get("min_workers", 0) > most:
        raise ConfigurationError(
            f"{wanted.name} would have min_workers = {fields['min_workers']} and max_workers = {most}; "
            f"say max_workers, or a lower min_workers, in [{wanted.kind}]",
            param="min_workers",
        )
    return most


def _comparable(name: str, value: object) -> object:
    return (value if name in IN_ORDER else sorted(value)) or None if isinstance(value, list) else value


def _text(value: object) -> str | None:
    if isinstance(value, list):
        return ", ".join(value) or "any"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else None if value is None else str(value)


def workers_in_all(steps: Sequence[Step], remotes: Sequence[Remote]) -> int:
    """Return how many workers the account's endpoints may have together once the plan is carried out."""
    planned_ids = {step.endpoint_id for step in steps}
    others = (remote for remote in remotes if remote.get("id") not in planned_ids)
    return sum(map(most_workers, others)) + sum(step.workers[1] for step in steps)
