"""What routes take beside their own: the server's parts, whose jobs they are about, one job's id."""

import re
from typing import Annotated

from fastapi import Depends, Path

from orchestrator.server.context import ServerContext
from orchestrator.server.http.access import context_of, new_job_owner_of, owner_of

JOB_ID = re.compile(r"[0-9a-f]{32}")
NO_ID = "-"  # no job has it: what cannot be an id is answered as one that nobody has


async def _own_job_id(job_id: Annotated[str, Path(description="from the answer to the upload")]) -> str:
    return job_id if JOB_ID.fullmatch(job_id) else NO_ID


Context = Annotated[ServerContext, Depends(context_of)]
Owner = Annotated[str, Depends(owner_of)]
NewJobOwner = Annotated[str, Depends(new_job_owner_of)]
JobId = Annotated[str, Depends(_own_job_id)]
