"""The page around the transcript, in a real browser, against a server that does what a test says."""

import re

import pytest

from tests.support.browser import serious_faults
from tests.support.optional import needed
from tests.support.page_views import opened

expect = needed("playwright.sync_api").expect


HOSTILE = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>'


@pytest.fixture
def page(tab, site):
    tab.context.clear_cookies()
    tab.goto("about:blank")
    return tab


def open_job(page, site, job_id, **fields):
    site.put(job_id, **fields)
    page.goto(f"{site.url}#/jobs/{job_id}")


def test_key_is_asked_for_and_wrong_one_refused(page, site):
    site.key = "parley_right"
    site.put("mine", status="completed", filename="mine.wav")
    page.goto(site.url)
    key = page.get_by_label("API key")
    expect(key).to_be_focused()
    key.fill("parley_wrong")
    key.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="This key is not known here")).to_be_visible()
    page.keyboard.press("Escape")
    expect(key).to_be_visible()
    key.fill("parley_right")
    key.press("Enter")
    expect(page.get_by_role("link", name="mine.wav")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Sign out Ada")).to_be_visible()
    site.key, site.owner = "parley_other", "Bob"
    page.context.clear_cookies()
    page.get_by_role("link", name="mine.wav").click()
    key.fill("parley_other")
    key.press("Enter")
    expect(page.get_by_role("button", name="Sign out Bob")).to_be_visible()


def test_job_is_followed_from_the_queue_to_its_transcript(page, site):
    open_job(page, site, "a", status="queued", step="queued", position=3, eta_s=140)
    expect(page.get_by_role("heading", name="Waiting: number 3 in line")).to_be_visible()
    expect(page.get_by_text("about 2 min left")).to_be_visible()
    site.put("a", status="running", step="diarizing/transcribing", progress=42, position=None, eta_s=20)
    expect(page.get_by_text("42 % · about 20 s left")).to_be_visible()
    expect(page.locator("[aria-current=step]")).to_have_text("Finding words and speakers")
    expect(page).to_have_title("42 % · a.wav – Parley")
    site.found("a", {"kind": "speakers", "timeline": [{"start": 0, "end": 2, "speaker": "SPEAKER_00"}]})
    site.found("a", {"kind": "words", "segments": [{"start": 61.0, "end": 63.0, "text": " so far so good"}]})
    expect(page.get_by_text("1 speaker in 1 turn")).to_be_visible()
    expect(page.locator(".found-line")).to_have_text("1:01so far so good")
    site.put("a", status="completed", step="complete", progress=100)
    expect(page.get_by_role("main")).to_contain_text(re.compile(r"Hello\s+there"))
    expect(page.get_by_role("progressbar", name="Progress")).to_have_count(0)


def test_failed_job_says_why_and_what_to_do(page, site):
    reason = {"code": "unreadable_audio", "message": "the file is no audio", "request_id": "req-7"}
    open_job(page, site, "a", status="failed", error=reason)
    advice = "The file is no audio. Choose an audio or video file, such as MP3, WAV, M4A or MP4."
    expect(page.get_by_role("main").get_by_role("alert")).to_have_text(advice)
    expect(page.get_by_text("request req-7")).to_be_visible()
    expect(page.get_by_role("link", name="Try another recording")).to_be_visible()


def test_unknown_job_leads_back_to_the_list(page, site):
    page.goto(f"{site.url}#/jobs/none")
    expect(page.get_by_role("heading", name="There is no such recording")).to_be_visible()
    page.get_by_role("link", name="All recordings").last.click()
    expect(page.get_by_text("Drop a recording here")).to_be_visible()


def test_job_is_cancelled(page, site):
    open_job(page, site, "a", progress=10)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()
    assert ("POST", "/api/jobs/a/cancel") in site.asked


def test_lost_connection_is_told_and_recovers(page, site):
    open_job(page, site, "a", progress=10)
    expect(page.get_by_text("10 %")).to_be_visible()
    site.go_away()
    banner = page.get_by_text("The connection to the server is lost.")
    expect(banner).to_be_visible()
    site.put("a", progress=60)
    site.go_away(away=False)
    expect(page.get_by_text("60 %")).to_be_visible()
    expect(banner).to_be_hidden()


def test_history_is_paged_filtered_and_kept_up_to_date(page, site):
    for number in range(45):
        site.put(f"job{number}", status="completed", created_at=f"2026-11-22T10:00:{number:02}Z")
    page.goto(site.url)
    rows = page.locator(".history-row")
    expect(rows).to_have_count(20)
    expect(rows.first).to_contain_text("job44.wav")
    more = page.get_by_role("button", name="Show earlier ones")
    more.click()
    expect(rows).to_have_count(40)
    expect(page.get_by_role("link", name="job24.wav")).to_be_focused()
    more.click()
    expect(rows).to_have_count(45)
    expect(more).to_be_hidden()
    site.put("late", progress=30, created_at="2026-11-22T11:00:00Z")
    page.get_by_label("Which recordings are listed").select_option("running")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Preparing the audio · 30 %")
    site.put("late", status="completed")
    expect(page.get_by_text("None is running.")).to_be_visible()


def test_history_skips_none_when_many_came_at_once(page, site):
    for number in range(50):
        site.put(f"job{number}", status="completed", created_at=f"2026-11-22T10:00:{number:02}Z")
        if number == 21:
            page.goto(site.url)
            expect(page.locator(".history-row")).to_have_count(20)
    page.get_by_role("link", name="job21.wav").click()
    page.get_by_role("link", name="All recordings").first.click()
    rows = page.locator(".history-row")
    expect(rows.first).to_contain_text("job49.wav")
    for count in (40, 50):
        page.get_by_role("button", name="Show earlier ones").click()
        expect(rows).to_have_count(count)
    assert page.locator(".history-name").all_text_contents() == [f"job{k}.wav" for k in reversed(range(50))]


def test_where_recordings_are_worked_on_is_told(page, site):
    told = page.get_by_text("Recordings are transcribed on this server's own machines.")
    page.goto(site.url)
    expect(page.locator("#version")).to_contain_text("Parley 0.1")
    expect(told).to_be_hidden()
    site.own_workers = True
    page.reload()
    expect(told).to_be_visible()


def test_recording_is_deleted_only_after_a_question(page, site):
    site.put("a", status="completed")
    page.goto(site.url)
    page.get_by_role("button", name="Delete a.wav").click()
    expect(page.get_by_role("dialog")).to_contain_text("This cannot be undone")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Delete a.wav")).to_be_focused()
    assert "a" in site.jobs
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".history-row")).to_have_count(0)
    assert site.jobs == {}


def test_speakers_are_found_again_with_another_number(page, site):
    open_job(page, site, "a", status="completed", has_audio=True)
    page.get_by_role("button", name="Redo speakers").click()
    page.get_by_label("Number of speakers").fill("0")
    page.get_by_role("button", name="Find speakers").click()
    expect(page.get_by_text("Give a whole number of speakers from 1 to 100.")).to_be_visible()
    page.get_by_label("Number of speakers").fill("3")
    page.get_by_role("button", name="Find speakers").click()
    expect(page).to_have_url(re.compile("#/jobs/again$"))
    assert site.rediarized == [{"num_speakers": 3}]


def test_menu_of_formats_is_used_by_keyboard(page, site):
    open_job(page, site, "a", status="completed")
    page.get_by_role("button", name="Export").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem")).to_have_count(10)
    page.keyboard.press("s")
    expect(page.get_by_role("menuitem", name="SRT")).to_be_focused()
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "a.srt"
    expect(page.get_by_role("button", name="Export")).to_be_focused()


@pytest.mark.parametrize(("width", "height"), [(660, 800), (640, 430), (390, 844)])
def test_menu_fits_the_window_and_long_names_two_lines(page, site, width, height):
    page.set_viewport_size({"width": width, "height": height})
    open_job(page, site, "a", status="completed", filename="a very long name " * 20)
    page.get_by_role("button", name="Export").click()
    menu = page.get_by_role("menu").bounding_box()
    assert menu["x"] >= 0
    assert menu["y"] >= 0
    assert menu["x"] + menu["width"] <= width
    assert menu["y"] + menu["height"] <= height
    page.keyboard.press("End")
    expect(page.get_by_role("menuitem", name="CTM")).to_be_in_viewport(ratio=1)
    assert page.get_by_role("heading", level=1).bounding_box()["height"] < 80
    page.set_viewport_size({"width": 1280, "height": 720})


def test_theme_is_chosen_and_kept(page, site):
    page.goto(site.url)
    theme = page.get_by_role("button", name="Theme: system")
    theme.click()
    page.get_by_role("button", name="Theme: light").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 22, 21)"


def test_text_from_outside_stays_text(page, site):
    site.put("a", status="failed", filename=HOSTILE, error={"code": "x", "message": HOSTILE, "request_id": HOSTILE})
    site.put("b", filename=HOSTILE, step="diarizing/transcribing")
    page.goto(site.url)
    expect(page.get_by_role("link", name=HOSTILE)).to_have_count(2)
    page.get_by_role("button", name=f"Delete {HOSTILE}").first.click()
    expect(page.get_by_role("dialog")).to_contain_text(HOSTILE)
    page.keyboard.press("Escape")
    page.goto(f"{site.url}#/jobs/a")
    expect(page.get_by_role("main").get_by_role("alert")).to_contain_text(HOSTILE)
    page.goto(f"{site.url}#/jobs/b")
    site.found("b", {"kind": "words", "segments": [{"start": 0, "end": 1, "text": HOSTILE}]})
    site.found("b", {"kind": "speakers", "timeline": [{"start": 0, "end": 2, "speaker": HOSTILE}]})
    expect(page.locator(".found-line")).to_contain_text(HOSTILE)
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    assert page.evaluate("window.hit") is None


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_views_are_accessible(browser, site, theme, width):
    site.put("bad", status="failed", error={"code": "x", "message": "no"})
    site.put("run", progress=42.0, step="diarizing/transcribing")
    with opened(browser, color_scheme=theme, viewport={"width": width, "height": 800}) as page:
        page.goto(site.url)
        page.get_by_text("Options").click()
        expect(page.locator(".history-row")).to_have_count(2)
        found = serious_faults(page)
        for job, seen in (("bad", "This did not work"), ("run", "Finding words and speakers")):
            page.goto(f"{site.url}#/jobs/{job}")
            expect(page.get_by_role("heading", name=seen)).to_be_visible()
            found += serious_faults(page)
        assert found == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
