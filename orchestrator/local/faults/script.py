"""Which calls the faults strike."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from orchestrator.local.faults.call import Call, Fault
from orchestrator.local.faults.repeats import REPLAY_HEADER
from orchestrator.local.queue import EndpointQueue

ANY = "*"
ALIASES = {"job-take-batch": "job-take"}
POLLS = {"job-take", "job-stop"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    endpoint: str
    route: str
    fault: Fault
    first: int
    times: int | None
    probability: float
    dice: random.Random

    def strikes(self, endpoint: str, route: str, number: int, *, after: bool) -> bool:
        """Whether the `number`-th call, counted from 1, is struck."""
        if self.endpoint not in (ANY, endpoint) or self.route not in (ANY, route) or self.fault.after is not after:
            return False
        if number < self.first or (self.times is not None and number >= self.first + self.times):
            return False
        return self.probability >= 1 or self.dice.random() < self.probability


class FaultScript:
    """The faults to come; `injected` records those that came as (endpoint, route, fault)."""

    def __init__(self, *, seed: int = 0) -> None:
        self.injected: list[tuple[str, str, str]] = []
        self._seed = seed
        self._rules: list[_Rule] = []
        self._counts: Counter[tuple[str, str, bool]] = Counter()

    def add(
        self,
        endpoint: str,
        route: str,
        fault: Fault,
        *,
        call: int = 1,
        times: int | None = 1,
        probability: float = 1.0,
    ) -> None:
        """Let `fault` strike the `call`-th call of the route and the ones after it, `times` in all (None: for ever).

        Calls are counted from 1 for each endpoint and route, whether they were struck or not; polls of workers that
        brought nothing do not count for faults after the handler. Of these calls each is struck with `probability`.
        `*` stands for every endpoint or route. Several faults may strike one call, in the order they were added.
        """
        dice = random.Random(f"{self._seed} {len(self._rules)}")  # noqa: S311 - the same faults in every run
        self._rules.append(
            _Rule(
                endpoint=endpoint, route=route, fault=fault, first=call, times=times, probability=probability, dice=dice
            )
        )

    def middleware(self, queues: Mapping[str, EndpointQueue]) -> Middleware:
        """Return what the platform puts around all its routes."""

        @web.middleware
        async def inject(request: web.Request, handler: Handler) -> web.StreamResponse:
            endpoint, route = _names(request)
            if endpoint not in queues or REPLAY_HEADER in request.headers:
                return await handler(request)
            call = Call(queue=queues[endpoint], request=request)
            if (answer := await self._strike(endpoint, route, call)) is not None:
                return answer
            response = await handler(request)
            if route in POLLS and response.status != 200:
                return response
            call = Call(queue=queues[endpoint], request=request, response=response)
            answer = await self._strike(endpoint, route, call)
            return response if answer is None else answer

        return inject

    async def _strike(self, endpoint: str, route: str, call: Call) -> web.StreamResponse | None:
        after = call.response is not None
        self._counts[endpoint, route, after] += 1
        number = self._counts[endpoint, route, after]
        for fault in [rule.fault for rule in self._rules if rule.strikes(endpoint, route, number, after=after)]:
            self.injected.append((endpoint, route, fault.name))
            if (answer := await fault.strike(call)) is not None:
                return answer
        return None


def _names(request: web.Request) -> tuple[str, str]:
    """Return endpoint and route, the endpoint empty for a path that belongs to none."""
    resource = request.match_info.route.resource
    endpoint = request.match_info.get("endpoint", "")
    route = resource.canonical.split("/")[3] if resource is not None and endpoint else ""
    return endpoint, ALIASES.get(route, route)
