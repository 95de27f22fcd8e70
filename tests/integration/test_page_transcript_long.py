"""A transcript of three hours, 36,000 words: few nodes, all of it reached, nothing jumps."""

from pathlib import Path

import pytest

from tests.support.browser import chromium
from tests.support.page_server import page_server
from tests.support.transcript_page import bare_page, mount
from tests.support.transcript_results import long_talk, peaks_of

SCROLLING = Path(__file__).parents[1] / "support" / "scrolling.js"
SEGMENTS = 4_000
NODES = "document.querySelectorAll('.segments *').length"
OVERLAPS = """() => {
  const rows = [...document.querySelectorAll('.segment')].slice(1); // the first stays for the tab key
  const boxes = rows.map((row) => row.getBoundingClientRect());
  return boxes.slice(1).map((box, k) => Math.round(box.top - boxes[k].bottom)).filter((gap) => Math.abs(gap) > 1);
}"""
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"


@pytest.fixture(scope="module")
def page():
    talk = long_talk(segments=SEGMENTS)
    with chromium() as browser, page_server() as server, bare_page(browser, server) as page:
        server.bodies["/long.json"] = talk
        page.mount_ms = mount(page, "/long.json", peaks=peaks_of(talk, per_second=10))
        yield page


def segment_at_top(page):
    shown = "document.elementFromPoint(700, 150).closest('.segment').getAttribute('aria-posinset')"
    return int(page.evaluate(shown))


def test_it_is_there_at_once_with_few_nodes(page):
    assert page.mount_ms < 5_000  # 0.3 s on a quiet machine of two cores; tests share theirs
    assert page.evaluate(NODES) < 1_500
    assert page.evaluate("window.mounted.document().segments.length") == SEGMENTS


def test_scrolling_shows_every_place_with_few_nodes_and_no_overlap(page):
    for share in (0.2, 0.5, 0.9, 1.0, 0.1):
        page.evaluate("(share) => scrollTo(0, share * document.documentElement.scrollHeight)", share)
        page.evaluate(SETTLED)
        page.evaluate(SETTLED)
        assert page.evaluate(OVERLAPS) == []
        assert page.evaluate(NODES) < 1_500
        shown = segment_at_top(page)
        assert shown == pytest.approx(max(1, share * SEGMENTS), abs=120)


def test_what_is_read_stays_while_rows_above_are_measured(page):
    page.evaluate("scrollTo(0, 0.6 * document.documentElement.scrollHeight)")
    page.evaluate(SETTLED)
    page.evaluate(SETTLED)
    gone = page.evaluate(
        """async () => {
          const gone = [];
          const paint = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
          for (let step = 0; step < 30; step += 1) {
            const row = document.elementFromPoint(700, 300).closest('.segment');
            const before = row.getBoundingClientRect().top;
            scrollBy(0, -40);
            await paint();
            gone.push(Math.round(row.getBoundingClientRect().top - before - 40));
          }
          return gone;
        }"""
    )
    assert [jump for jump in gone if abs(jump) > 2] == []


def test_search_finds_the_far_end(page):
    page.evaluate("scrollTo(0, 0)")
    page.evaluate(SETTLED)
    said = sum(word["word"].strip(".") == "thought" for word in long_talk(segments=SEGMENTS)["words"])
    page.keyboard.press("Control+f")
    page.keyboard.type("thought")
    assert page.locator(".search .count").text_content() == f"1 of {said}"
    page.keyboard.press("Shift+Enter")
    page.evaluate(SETTLED)
    found = page.locator(".match-now").first
    assert found.is_visible()
    assert int(page.locator(".segment:has(.match-now)").first.get_attribute("aria-posinset")) > SEGMENTS - 40
    page.keyboard.press("Escape")


def test_an_edit_far_down_keeps_the_place(page):
    page.evaluate("scrollTo(0, 0.5 * document.documentElement.scrollHeight)")
    page.evaluate(SETTLED)
    page.evaluate(SETTLED)
    row = page.locator(f".segment[aria-posinset='{segment_at_top(page) + 3}']")
    top = row.bounding_box()["y"]
    row.focus()
    page.keyboard.press("m")
    page.evaluate(SETTLED)
    assert row.bounding_box()["y"] == pytest.approx(top, abs=2)
    assert page.evaluate("window.mounted.document().segments.length") == SEGMENTS - 1
    page.keyboard.press("Control+z")


def test_how_it_scrolls_is_measured(page):
    page.evaluate("scrollTo(0, 0)")
    found = page.evaluate(SCROLLING.read_text(), {"duration_ms": 500, "speed": 6000})
    assert found["scrolled_px"] > 1000
    assert found["most_nodes"] < 1_800
    assert found["frames_per_second"] > 5  # 60 on a quiet machine, where the benchmark takes it
