"""The plan as text."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.deploy.env_values import unknown, unset
from orchestrator.deploy.plan import IDS, ORDER, Step, workers_in_all
from orchestrator.deploy.remote import Remote
from orchestrator.deploy.settings_file import DeploySettings, Kind

PLACEHOLDER = "YOUR_"
BY_HAND = "Model, in the console"


def plan_lines(steps: Sequence[Step]) -> Iterator[str]:
    """Yield the plan, an endpoint after the other, each with the fields that would change."""
    for number, step in enumerate(steps):
        if number:
            yield ""
        yield " ".join([step.action, step.wanted.name, *([f"({step.endpoint_id})"] if step.endpoint_id else [])])
        rows = [(change.field, change.after if change.before is None else f"{change.before} -> {change.after}")
                for change in step.changes]  # fmt: skip
        if step.problem:
            rows.append(("problem", step.problem))
        if step.action == "create" and step.wanted.model:
            rows.append((BY_HAND, step.wanted.model))
        width = max((len(name) for name, _ in rows), default=0)
        yield from (printable(f"  {name:<{width}}  {text}") for name, text in rows)


def printable(text: str) -> str:
    """Return a line without control characters: some of it comes from RunPod."""
    return "".join(char if char.isprintable() else "?" for char in text)


def warning_lines(settings: DeploySettings, steps: Sequence[Step], remotes: Sequence[Remote]) -> Iterator[str]:
    """Yield what the plan may fail for, or why it may not do what is meant."""
    for step in steps:
        table = step.wanted.kind
        if names := unset(step.wanted.variables):
            yield f"[{table}.env] {', '.join(names)}: the variable that is referred to is not set in this shell"
        if left_out := ", ".join(step.wanted.left_out):
            yield f"[{table}.env] {left_out}: not set in this shell, and left out, for no model here needs it"
        if names := unknown(step.wanted.variables):
            yield f"[{table}.env] {', '.join(names)}: no setting of Parley"
    if nowhere := [step.wanted.kind for step in steps if PLACEHOLDER in step.wanted.fields.get("image", "")]:
        yield f"the images of {', '.join(nowhere)}: say in the settings file under which names you pushed them"
    workers = workers_in_all(steps, remotes)
    if settings.account_workers is not None and workers > settings.account_workers:
        yield (
            f"all endpoints together may have {workers} workers then, more than account_workers "
            f"({settings.account_workers}); RunPod refuses what is above the account's quota: lower max_workers"
        )


def id_lines(ids: Mapping[Kind, str]) -> Iterator[str]:
    """Yield the variables with which the command line and the client find these endpoints."""
    names = {**IDS, "orchestrator": "ORCHESTRATOR_ENDPOINT_ID", "combined": "ORCHESTRATOR_ENDPOINT_ID"}
    for kind in ORDER:
        if kind in ids and not (kind == "combined" and "orchestrator" in ids):
            yield f"export {names[kind]}={shlex.quote(ids[kind])}"
