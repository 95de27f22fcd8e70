"""Edits are kept: while somebody types, when answers are lost or refused, and when the page is left."""

import re

import pytest

from tests.support.optional import needed
from tests.support.page_server import page_server
from tests.support.page_views import opened, until
from tests.support.scripted_site import scripted_site
from tests.support.transcript_page import bare_page, mount
from tests.support.transcript_results import spoken

expect = needed("playwright.sync_api").expect

TALK = spoken([("SPEAKER_00", "one two three four."), ("SPEAKER_01", "five six seven.")])
ASKS_BEFORE_LEAVING = """() => {
  const leaving = new Event("beforeunload", { cancelable: true });
  dispatchEvent(leaving);
  return leaving.defaultPrevented;
}"""


@pytest.fixture(scope="module")
def bare(browser):
    with page_server() as server, bare_page(browser, server, viewport={"width": 1280, "height": 800}) as page:
        yield page


@pytest.fixture
def page(bare):
    mount(bare, TALK)
    return bare


@pytest.fixture
def site():
    with scripted_site() as site:
        yield site


def give_first_segment_to(page, number):
    page.locator(".segment").first.focus()
    page.keyboard.press(str(number))


def saved_texts(page):
    saves = page.evaluate("window.saves")
    return [" ".join(word["word"] for word in save["document"]["segments"][0]["words"]) for save in saves]


def test_what_is_being_typed_is_unsaved_and_saved_before_it_is_kept(page):
    assert page.evaluate(ASKS_BEFORE_LEAVING) is False
    page.get_by_text("two", exact=True).dblclick()
    page.locator(".words-field").fill("one 2 three four.")
    assert page.evaluate(ASKS_BEFORE_LEAVING) is True
    until(page, "window.saves.length === 1")
    assert saved_texts(page) == ["one 2 three four."]
    assert page.locator(".words-field").is_visible()
    page.keyboard.press("Escape")
    page.evaluate("window.mounted.flush()")
    assert saved_texts(page)[1] == "one two three four."  # Escape takes it back there, too


def test_an_answer_that_was_lost_is_no_conflict(page):
    page.evaluate("window.refusals = [{kept: true}, {status: 409, code: 'edit_conflict'}]")
    give_first_segment_to(page, 2)
    expect(page.get_by_text("Not saved, retrying").first).to_be_visible()
    page.evaluate("window.mounted.flush()")
    expect(page.locator(".save-state")).to_have_text("Saved")
    assert [save["version"] for save in page.evaluate("window.saves")] == [1]
    assert page.locator(".conflict").is_hidden()


def test_in_a_conflict_the_own_version_can_be_kept(page):
    page.evaluate("window.refusals = [{status: 409, code: 'edit_conflict'}]")
    give_first_segment_to(page, 2)
    page.get_by_role("button", name="Keep mine").click()
    expect(page.locator(".save-state")).to_have_text("Saved")
    assert page.locator(".conflict").is_hidden()
    (save,) = page.evaluate("window.saves")
    assert (save["version"], save["document"]["segments"][0]["speaker"]) == (70, "SPEAKER_01")


def test_a_refusal_is_told_and_tried_again_only_with_the_next_edit(page):
    page.evaluate("window.refusals = [{status: 404, message: 'there is no such job', code: 'job_not_found'}]")
    give_first_segment_to(page, 2)
    page.evaluate("window.mounted.flush().catch(() => {})")
    notice = page.locator(".transcript .conflict")
    expect(notice).to_contain_text("There is no such job. It may have been deleted")
    expect(notice.get_by_role("button")).to_have_count(0)
    assert page.locator(".save-state").text_content() == "Not saved"
    assert page.evaluate("window.saves") == []
    give_first_segment_to(page, 1)
    page.evaluate("window.mounted.flush()")
    assert page.locator(".save-state").text_content() == "Saved"
    expect(notice).to_be_hidden()


def test_all_edits_are_discarded_in_one_step(page):
    edited = {"segments": [{"speaker": "SPEAKER_01", "words": [TALK["words"][0]]}], "speakers": {"SPEAKER_01": "Anna"}}
    mount(page, TALK, edits={"version": 4, "document": edited})
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Discard all edits").click()
    assert page.locator(".segment .words").all_text_contents() == ["one two three four.", "five six seven."]
    assert page.locator(".chip .name").all_text_contents() == ["Speaker 1", "Speaker 2"]
    page.keyboard.press("Control+z")
    assert page.locator(".segment .words").all_text_contents() == ["one"]
    page.keyboard.press("Control+y")
    page.get_by_role("button", name="More").click()
    assert page.get_by_role("button", name="Discard all edits").is_disabled()
    page.keyboard.press("Escape")


def test_the_page_is_not_left_with_unsaved_edits_unasked(browser, site):
    site.put("a", status="completed")
    with opened(browser) as page:
        page.goto(f"{site.url}#/jobs/a")
        expect(page.locator(".segment")).to_have_count(2)
        site.go_away()
        give_first_segment_to(page, 2)
        back = page.get_by_role("link", name="All recordings")
        back.click()
        expect(page.get_by_role("dialog")).to_contain_text("Your last changes to this transcript are not saved.")
        page.get_by_role("button", name="Stay").click()
        expect(page).to_have_url(re.compile("#/jobs/a$"))
        expect(page.locator(".segment .speaker-name").first).to_have_text("Speaker 2")
        site.go_away(away=False)
        back.click()
        expect(page.get_by_role("link", name="a.wav")).to_be_visible()
        assert site.edits["a"]["document"]["segments"][0]["speaker"] == "SPEAKER_01"
        page.go_back()
        expect(page.locator(".segment")).to_have_count(2)
        site.go_away()
        give_first_segment_to(page, 1)
        back.click()
        page.get_by_role("button", name="Leave and lose them").click()
        expect(page.get_by_text("Drop a recording here")).to_be_visible()
        site.go_away(away=False)
