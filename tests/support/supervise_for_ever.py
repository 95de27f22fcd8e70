"""A program with a supervised worker that prints the worker's process id and then waits to be killed."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from orchestrator.local.platform import LocalPlatform, PlatformSettings
from orchestrator.local.supervisor import Supervisor, WorkerCommand


async def main() -> None:
    async with LocalPlatform(("jobs",), PlatformSettings()) as platform:
        command = WorkerCommand(endpoint_id="jobs", argv=("/bin/sleep", "600"), env={})
        async with Supervisor(platform, [command], log_folder=Path(sys.argv[1])) as supervisor:
            while not supervisor.pids["jobs"]:
                await asyncio.sleep(0.01)
            sys.stdout.write(f"{supervisor.pids['jobs'][0]}\n")
            sys.stdout.flush()
            await asyncio.sleep(600)


asyncio.run(main())
