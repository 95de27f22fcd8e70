"""Decodes one file in a fresh process and prints its samples and how far its memory rose (run as a script)."""

import sys
from pathlib import Path

from common.audio.decode import decode_audio
from common.audio.limits import AudioLimits


def peak_bytes():
    """The high-water mark of this process alone; `ru_maxrss` would inherit its parent's."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    before = peak_bytes()
    samples = decode_audio(Path(sys.argv[1]), limits=AudioLimits())
    sys.stdout.write(f"{len(samples)} {peak_bytes() - before}\n")
