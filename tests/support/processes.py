"""Looking at processes from outside."""

import asyncio
import contextlib
import os
from pathlib import Path


def group_members(group: int) -> list[int]:
    """Return the live processes of a process group."""
    members = []
    for folder in Path("/proc").iterdir():
        try:
            state, _, process_group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(process_group) == group and state != "Z":
            members.append(int(folder.name))
    return members


def command_lines_with(text: str) -> list[str]:
    """Return the command lines of the processes that have `text` in theirs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().decode(errors="replace"))
    return [line for line in found if text in line]


async def wait_gone(group: int, *, timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s):
        while True:
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                return
            if not group_members(group):
                return
            await asyncio.sleep(0.02)
