"""The page on `parley serve` with the bundled models, in a real browser: from a dropped recording to a deleted one."""

import pytest
import requests

from tests.support.browser import chromium, serious_faults
from tests.support.optional import needed
from tests.support.page_views import dropped, file_of, opened, until

expect = needed("playwright.sync_api").expect

DONE_MS = 120_000
WATCH_PROGRESS = """() => {
    window.seen = [];
    new MutationObserver(() => {
        const [bar, stage] = ["progress", "h2"].map((tag) => document.querySelector(`.progress-card ${tag}`));
        const now = bar && `${stage.textContent} ${bar.value}`;
        if (now && now !== window.seen.at(-1)) window.seen.push(now);
    }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
}"""
VIEWS = [("light", 1280, 860), ("dark", 1280, 860), ("light", 390, 844)]


@pytest.fixture(scope="module")
def browser():
    expect.set_options(timeout=15_000)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser, served, sample):
    """A page on which the sample was dropped, when its transcript is there."""
    with opened(browser, viewport={"width": 1280, "height": 860}) as page:
        page.goto(served.url)
        page.evaluate(WATCH_PROGRESS)
        dropped(page, ".drop-area", [("sample.wav", sample.read_bytes())])
        expect(page.get_by_role("list", name="Transcript")).to_be_visible(timeout=DONE_MS)
        yield page


def job_id(page):
    return page.url.rpartition("/")[2]


def result(served, page):
    return requests.get(f"{served.url}/api/results/{job_id(page)}", timeout=10).json()


def shown_time(page):
    minutes, seconds = page.locator(".time-now").inner_text().split(":")
    return 60 * int(minutes) + float(seconds)


def test_progress_went_through_the_stages(page):
    seen = page.evaluate("window.seen")
    values = [float(one.rpartition(" ")[2]) for one in seen]
    assert values == sorted(values)
    assert len(set(values)) >= 3
    assert any(one.startswith("Finding words and speakers") for one in seen)


def test_two_speakers_said_what_they_said(page):
    expect(page.locator(".chip[data-label^=SPEAKER]")).to_have_count(2)
    expect(page.get_by_role("list", name="Transcript")).to_contain_text("Chicago")


def test_recording_plays_and_a_click_on_a_word_jumps_to_it(page, served):
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, "document.querySelector('.time-now').textContent > '0:00'")
    page.get_by_role("button", name="Pause", exact=True).click()
    chicago = next(word for word in result(served, page)["words"] if "Chicago" in word["word"])
    page.locator(".word", has_text="Chicago").first.click()
    expect(page.locator(".time-now")).to_have_text(f"0:{int(chicago['start']):02}")
    assert shown_time(page) == int(chicago["start"]) > 10


def test_renamed_speaker_is_in_the_export_and_kept(page):
    page.locator(".chip[data-label^=SPEAKER]").first.click()
    page.get_by_label("Rename").fill("Grace Hopper")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator(".speaker-name", has_text="Grace Hopper").first).to_be_visible()
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="SRT").click()
    assert download.value.suggested_filename == "sample.srt"
    subtitles = download.value.path().read_text()
    assert subtitles.startswith("1\n00:00:0")
    assert "Grace Hopper" in subtitles
    page.reload()
    expect(page.locator(".chip", has_text="Grace Hopper")).to_be_visible()


@pytest.mark.parametrize(("theme", "width", "height"), VIEWS)
def test_views_are_accessible_and_fit(browser, page, served, tmp_path, theme, width, height):
    size = {"width": width, "height": height}
    with opened(browser, color_scheme=theme, viewport=size, reduced_motion="reduce") as own:
        own.goto(served.url)
        expect(own.locator(".history-row").first).to_be_visible()
        own.screenshot(path=tmp_path / f"list_{theme}_{width}.png")
        found = serious_faults(own)
        own.get_by_role("link", name="sample.wav").first.click()
        expect(own.get_by_role("list", name="Transcript")).to_contain_text("Chicago")
        own.screenshot(path=tmp_path / f"transcript_{theme}_{width}.png")
        found += serious_faults(own)
        assert found == []
        assert own.evaluate("document.documentElement.scrollWidth") <= width
        assert own.evaluate("getComputedStyle(document.body).colorScheme") == theme


def test_recording_chosen_again_is_answered_at_once_and_deleted(browser, page, served, sample):
    with opened(browser) as own:
        own.goto(served.url)
        with own.expect_file_chooser() as chooser:
            own.get_by_role("button", name="Choose files").click()
        chooser.value.set_files(file_of("again.wav", sample.read_bytes()))
        expect(own.get_by_role("list", name="Transcript")).to_contain_text("Chicago")
        expect(own.get_by_text("answered from an earlier result")).to_be_visible()
        url = f"{served.url}/api/status/{job_id(own)}"
        assert requests.get(url, timeout=10).json()["cached"] is True
        own.get_by_role("button", name="Delete this recording").click()
        own.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(own.get_by_role("link", name="sample.wav").first).to_be_visible()
        expect(own.get_by_role("link", name="again.wav")).to_have_count(0)
        assert requests.get(url, timeout=10).status_code == 404


def test_file_that_is_no_recording_is_refused_with_reason(browser, served):
    with opened(browser) as own:
        own.goto(served.url)
        dropped(own, "body", [("notes.txt", b"These are notes, and no recording at all.\n" * 50)])
        expect(own.get_by_role("main").get_by_role("alert")).to_contain_text("Choose an audio or video file")
