"""The plan, made and carried out."""

import contextlib
from collections.abc import Callable, Sequence

from common.errors import ConfigurationError, EndpointError
from orchestrator.deploy.api import RunPodApi
from orchestrator.deploy.cpu_endpoints import create_on_cpus, is_on_cpus, update_on_cpus
from orchestrator.deploy.env_values import unset
from orchestrator.deploy.plan import Step, Wanted, planned
from orchestrator.deploy.remote import Remote, described, found
from orchestrator.deploy.settings_file import Kind
from orchestrator.deploy.show import PLACEHOLDER

OF_WORKERS = ("gpu", "workers", "scaling")  # the parts of a request that lower max_workers, and what they depend on


def made_plan(wanted: Sequence[Wanted], remotes: Sequence[Remote]) -> list[Step]:
    """Return the steps for an account with these endpoints; the ids of what is not there yet are open."""
    there = {one.kind: found(one.name, remotes) for one in wanted}
    ids: dict[Kind, str] = {kind: str(remote["id"]) for kind, remote in there.items() if remote is not None}
    names = {one.kind: one.name for one in wanted}
    return [planned(one, remotes, ids, names) for one in wanted]


def check_complete(wanted: Sequence[Wanted], steps: Sequence[Step]) -> None:
    """Raise ConfigurationError for what a plan may leave open, but no endpoint may."""
    for one in wanted:
        if PLACEHOLDER in one.fields.get("image", ""):
            raise ConfigurationError(
                f"the image of {one.kind}: say in the settings file under which name you pushed it", param="images"
            )
        if names := unset(one.variables):
            references = ", ".join(one.variables[name].shown.split()[0] for name in names)
            raise ConfigurationError(f"[{one.kind}.env] refers to {references}: set it in this shell", param=names[0])
    for step in steps:
        if step.problem and step.wanted.kind != "orchestrator":  # which the others do without
            raise ConfigurationError(step.problem)


class Deployment:
    """The endpoints being made and changed; `ids` are those known, `done` is how many are finished.

    `tell` gets a line for each step, so that it is known what is there when a later one fails. Raises
    ConfigurationError where the plan is not complete.
    """

    def __init__(
        self, wanted: Sequence[Wanted], remotes: Sequence[Remote], api: RunPodApi, *, tell: Callable[[str], object]
    ) -> None:
        self._wanted, self._remotes, self._api, self._tell = wanted, remotes, api, tell
        self._names = {one.kind: one.name for one in wanted}
        self._steps = made_plan(wanted, remotes)
        check_complete(wanted, self._steps)
        self.done = 0
        self.ids: dict[Kind, str] = {
            step.wanted.kind: step.endpoint_id for step in self._steps if step.endpoint_id and not step.problem
        }

    async def run(self) -> None:
        """Make and change the endpoints, one after the other."""
        await self._make_room()
        for one in self._wanted:
            await self._carry_out(planned(one, self._remotes, self.ids, self._names))
            self.done += 1

    async def _make_room(self) -> None:
        """Lower max_workers where it falls, before it rises elsewhere: the account's quota may bear only one order."""
        falling = [step for step in self._steps if step.action == "update" and step.workers[1] < step.workers[0]]
        if not (falling and any(step.workers[1] > step.workers[0] for step in self._steps)):
            return
        for step in falling:
            body = {group: step.body[group] for group in OF_WORKERS if group in step.body}
            with contextlib.suppress(*([EndpointError] if is_on_cpus(step) else [])):  # its own turn says what is amiss
                await self._api.update(str(step.endpoint_id), body)
                self._tell(f"lowered max_workers of {step.wanted.name} ({step.endpoint_id})")
        self._remotes = await self._api.endpoints()

    async def _carry_out(self, step: Step) -> None:
        kind, name = step.wanted.kind, step.wanted.name
        if step.action == "blocked":
            raise ConfigurationError(step.problem)
        if step.action == "create":
            make = create_on_cpus(step, self._api) if is_on_cpus(step) else self._api.create(step.body)
            self.ids[kind] = str(described(await make)["id"])
        elif step.action == "update":
            change = update_on_cpus(step, self._api) if is_on_cpus(step) else self._change(step)
            await change
        done = {"create": "created", "update": "updated", "unchanged": "unchanged"}[step.action]
        self._tell(f"{done} {name} ({self.ids[kind]})")

    async def _change(self, step: Step) -> None:
        await self._api.update(str(step.endpoint_id), step.body)
