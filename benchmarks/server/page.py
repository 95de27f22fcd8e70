"""How smoothly the page scrolls through a long transcript, in a real browser without a window."""

import shutil
from dataclasses import dataclass
from typing import Any

from handlers.device import first_line

WIDTH, HEIGHT = 1280, 800
SPEED_PX_PER_S = 4_000  # five windows a second: as fast as one flicks through pages
WAIT_MS, SETTLE_MS = 30_000, 500
ROW = ".segments .segment"
# Frames as the browser draws them; the list is scrolled a little in each, by the time that has gone.
SCROLL = """async ([speed, seconds]) => {
  const box = [...document.querySelectorAll("*")].find(
    (one) => /auto|scroll/.test(getComputedStyle(one).overflowY) && one.querySelector(".segments")
  ) ?? document.scrollingElement;
  const next = () => new Promise(requestAnimationFrame);
  const begun = await next();
  const from = box.scrollTop;
  const gaps = [];
  for (let before = begun, now = await next(); now - begun < 1000 * seconds; now = await next()) {
    gaps.push(now - before);
    before = now;
    box.scrollTop += (speed * gaps.at(-1)) / 1000;
  }
  const rows = document.querySelectorAll(".segments .segment").length;
  return { gaps, px: box.scrollTop - from, height: box.scrollHeight, rows };
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrolled:
    """Frames a second, the longest time between two (ms), px scrolled of how many, rows in the page then.

    `shown_s` is how long it took until the transcript was there.
    """

    fps: float
    longest_ms: float
    px: float
    height: float
    rows: int
    shown_s: float


def scrolled(url: str, job_id: str, *, seconds: float) -> Scrolled | str:
    """Scroll a job's transcript; returns why not where there is no browser, or nothing to scroll."""
    try:
        from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 - a package that may be missing
    except ImportError:
        return "playwright is not installed"
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        except Error as error:
            return f"no Chromium: {first_line(error)}"
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        try:
            page.goto(f"{url}/#/jobs/{job_id}")
            page.wait_for_selector(ROW, timeout=WAIT_MS)
        except Error as error:
            return f"the transcript did not come: {first_line(error)} It says: {page.inner_text('body')[:200]!r}"
        shown_s = page.evaluate("performance.now()") / 1000
        page.wait_for_timeout(SETTLE_MS)
        found = page.evaluate(SCROLL, [SPEED_PX_PER_S, seconds])
        browser.close()
    return figures(found, shown_s=shown_s)


def figures(found: dict[str, Any], *, shown_s: float) -> Scrolled:
    """Return what the page's own measurement says; `gaps` are the milliseconds between frames."""
    gaps = found["gaps"]
    return Scrolled(
        fps=1000 * len(gaps) / sum(gaps) if gaps else 0.0,
        longest_ms=max(gaps, default=0.0),
        px=found["px"],
        height=found["height"],
        rows=found["rows"],
        shown_s=shown_s,
    )
