"""Parts of stored files, as players ask for them (RFC 9110, section 14)."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import BinaryIO

from starlette.exceptions import HTTPException

PIECE_BYTES = 256 * 1024
ONE_RANGE = re.compile(r"bytes=\s*(\d{0,19})-(\d{0,19})\s*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Bytes `first` to `last`, the last included."""

    first: int
    last: int

    @property
    def size_bytes(self) -> int:
        """How many bytes it has."""
        return self.last - self.first + 1


def range_asked(header: str | None, *, size_bytes: int) -> Range | None:
    """Return the range that is asked for, None for the whole file, which several ranges at once are answered with, too.

    Raises Starlette's HTTPException, 416, for one that the file does not have.
    """
    match = ONE_RANGE.fullmatch(header or "")
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        asked = Range(first=max(size_bytes - int(last), 0), last=size_bytes - 1)
    else:
        asked = Range(first=int(first), last=min(int(last or size_bytes), size_bytes - 1))
    if asked.size_bytes < 1:
        raise HTTPException(416, f"the file has {size_bytes} bytes", headers={"Content-Range": f"bytes */{size_bytes}"})
    return asked


async def pieces(file: BinaryIO, part: Range) -> AsyncIterator[bytes]:
    """Yield a part of a file, read in threads; closes the file."""
    left_bytes = part.size_bytes
    try:
        await asyncio.to_thread(file.seek, part.first)
        while left_bytes and (piece := await asyncio.to_thread(file.read, min(left_bytes, PIECE_BYTES))):
            left_bytes -= len(piece)
            yield piece
    finally:
        file.close()
