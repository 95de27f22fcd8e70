"""Endpoints on CPUs, which RunPod's API makes or does not: its own pages disagree on that.

Its OpenAPI document has `cpu` in both requests; its page on creating endpoints calls those on CPUs read-only, and its
MCP server reports that changes to them are refused.
"""

import contextlib
from collections.abc import Mapping
from typing import NoReturn

from common.errors import EndpointError, EndpointNotFoundError
from orchestrator.deploy.api import RunPodApi
from orchestrator.deploy.plan import Step
from orchestrator.deploy.remote import API, Remote

BY_HAND = 'make it by hand once, under this name (docs/deploy.md, "An orchestrator by hand"), and run this again'


async def create_on_cpus(step: Step, api: RunPodApi) -> Remote:
    """Make an endpoint, and see that it came out as one on CPUs; raises EndpointError that says what to do if not."""
    name = step.wanted.name
    try:
        made = await api.create(step.body)
    except EndpointError as error:
        if type(error) is not EndpointError or "quota" in error.message:
            raise
        _raise(f"{name} was not made: {error.message}. If that is because {API} makes no CPU endpoints, {BY_HAND}")
    endpoint_id = str(made["id"])
    with contextlib.suppress(EndpointNotFoundError):  # not known everywhere yet: the answer to its making has to do
        made = await api.endpoint(endpoint_id)
    if not made.get("cpu"):
        _raise(f"{API} made {name} ({endpoint_id}) with GPUs; delete it in the console, {BY_HAND}")
    return made


async def update_on_cpus(step: Step, api: RunPodApi) -> None:
    """Change an endpoint; where RunPod refuses, the EndpointError says what to set by hand."""
    try:
        await api.update(str(step.endpoint_id), step.body)
    except EndpointError as error:
        if type(error) is not EndpointError or "quota" in error.message:
            raise
        rows = "; ".join(f"{change.field} = {change.after}" for change in step.changes)
        _raise(
            f"{step.wanted.name} was not changed: {error.message}. If that is because {API} changes no CPU endpoints, "
            f"choose Edit Endpoint in the console and set by hand: {rows}"
        )


def is_on_cpus(step: Step) -> bool:
    """Tell whether the step is about an endpoint on CPUs."""
    fields: Mapping[str, object] = step.wanted.fields
    return "cpus" in fields


def _raise(message: str) -> NoReturn:
    raise EndpointError(message, endpoint=API) from None
