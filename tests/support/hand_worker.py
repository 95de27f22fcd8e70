"""A worker of the local platform whose every step a test takes by hand."""

from typing import Any

from tests.support.platform_client import Caller


class HandWorker:
    """Does by hand what the SDK's loop does."""

    def __init__(self, jobs: Caller, worker_id: str = "w1") -> None:
        self.jobs = jobs
        self.env = jobs.platform.worker_environment("jobs", worker_id)
        self.worker_id = worker_id

    async def call(self, method: str, url: str, **options: Any) -> tuple[int, Any]:
        options.setdefault("headers", {"Authorization": self.env["RUNPOD_AI_API_KEY"]})
        async with self.jobs.session.request(method, url, **options) as response:
            return response.status, await response.json() if response.status == 200 else None

    async def take(self, suffix: str = "&job_in_progress=0") -> tuple[int, Any]:
        return await self.call("GET", self.env["RUNPOD_WEBHOOK_GET_JOB"].replace("$ID", self.worker_id) + suffix)

    async def stops(self) -> tuple[int, Any]:
        url = self.env["RUNPOD_WEBHOOK_GET_JOB"].replace("$ID", self.worker_id)
        return await self.call("GET", url.replace("/job-take/", "/job-stop/"))

    async def done(self, job_id: str, body: Any) -> Any:
        url = self.env["RUNPOD_WEBHOOK_POST_OUTPUT"].replace("$RUNPOD_POD_ID", self.worker_id).replace("$ID", job_id)
        options = {"json": body} if not isinstance(body, str) else {"data": body}
        return (await self.call("POST", f"{url}&isStream=false", **options))[1]

    async def ping(self, query: str = "") -> int:
        url = self.env["RUNPOD_WEBHOOK_PING"].replace("$RUNPOD_POD_ID", self.worker_id)
        return (await self.call("GET", url + query))[0]
