"""Ends worker process groups when their supervisor dies without stopping them; a script, started by the supervisor.

Reads `+<group>` and `-<group>` lines from standard input; when it closes, the groups still noted are killed. Without
this, workers whose platform is gone would ask for jobs for ever, as fast as they can.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    """Keep book until the supervisor is gone."""
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
