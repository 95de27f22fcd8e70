"""What a fault is, and what it is told of the call that it strikes."""

import json
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from common.errors import EndpointNotFoundError
from orchestrator.local.jobs import Job
from orchestrator.local.queue import EndpointQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request at a route, and its answer once the handler has run."""

    queue: EndpointQueue
    request: web.Request
    response: web.StreamResponse | None = None

    def job(self) -> Job | None:
        """Return the job in the request's path, if it is known."""
        try:
            return self.queue.get(self.request.match_info.get("job", ""))
        except EndpointNotFoundError:
            return None

    def delivered_ids(self) -> list[str]:
        """Return the ids of the jobs in the answer to a worker."""
        body = self.response.body if isinstance(self.response, web.Response) else None
        jobs = json.loads(body) if isinstance(body, bytes) and body else []
        return [job["id"] for job in (jobs if isinstance(jobs, list) else [jobs])]

    def hang_up(self) -> web.Response:
        """Close the connection; the response stands for the one that nobody gets."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return web.Response()


class Fault(Protocol):
    """Something that goes wrong; `name` is what the script's record calls it."""

    @property
    def name(self) -> str:
        """Return what the record says."""
        ...

    @property
    def after(self) -> bool:
        """Whether it strikes once the handler has run."""
        ...

    async def strike(self, call: Call) -> web.StreamResponse | None:
        """Do the damage; returns the answer to send, None to go on as if nothing had happened."""
        ...
