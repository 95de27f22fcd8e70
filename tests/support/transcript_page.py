"""The transcript alone on a bare page: mounted with any result, its saves answered and kept by the test."""

import io
import math
import struct
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.browser import watched_page
from tests.support.page_server import PageServer

MOUNT = """async ({result, edits, audioUrl, peaks}) => {
  window.mounted?.destroy();
  scrollTo(0, 0);
  const { mountTranscript } = await import("/static/transcript/mount.js");
  window.saves = [];
  window.refusals = [];
  window.conflicts = 0;
  window.latest = { version: 70, document: null };
  const onSave = async (document, version) => {
    const refusal = window.refusals.shift();
    if (refusal?.kept) window.latest = { version: version + 1, document: structuredClone(document) };
    if (refusal) throw Object.assign(new Error("refused"), refusal);
    window.saves.push({ document: structuredClone(document), version });
    return version + 1;
  };
  const given = typeof result === "string" ? await (await fetch(result)).json() : result;
  const begun = performance.now();
  const options = { jobId: "job", filename: "interview.wav", result: given, edits, audioUrl, peaks, onSave,
    onLatest: async () => window.latest, onConflict: () => { window.conflicts += 1; } };
  window.mounted = mountTranscript(document.getElementById("root"), options);
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - begun;
}"""


def tone(duration_s: float, *, rate: int = 8000) -> bytes:
    """Return a quiet WAV file of this length."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        count = int(duration_s * rate)
        file.writeframes(b"".join(struct.pack("<h", int(900 * math.sin(k / 6))) for k in range(count)))
    return buffer.getvalue()


def mount(page, result: Any, *, edits=None, audio: str | None = None, peaks=None) -> float:
    """Show `result` (or what is at that path) in place of what was; return how long it took to be painted, in ms."""
    options = {
        "result": result,
        "edits": edits or {"version": 0, "document": None},
        "audioUrl": audio,
        "peaks": peaks,
    }
    return page.evaluate(MOUNT, options)


@contextmanager
def bare_page(browser, server: PageServer, **context: Any) -> Iterator:
    """Open the bare page, on which nothing is mounted yet."""
    with watched_page(browser, **context) as page:
        page.goto(f"{server.url}/")
        yield page


def shown_lines(page) -> list[tuple[str, str]]:
    """Return the segments on the page, as speaker and text."""
    lines = page.evaluate(
        "[...document.querySelectorAll('.segment')].map((segment) => "
        "[segment.querySelector('.speaker-name').textContent, segment.querySelector('.words').textContent])"
    )
    return [(speaker, text) for speaker, text in lines]
