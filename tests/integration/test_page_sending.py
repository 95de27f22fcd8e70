"""How recordings are given on the page: dropped, chosen, by address, from the microphone; in a real browser."""

import json
import re

import pytest

from tests.support.browser import serious_faults
from tests.support.optional import needed
from tests.support.page_views import dropped, file_of, until

expect = needed("playwright.sync_api").expect


NO_MICROPHONE = """() => {
    navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotAllowedError"); };
}"""


@pytest.fixture
def page(tab, site):
    tab.goto("about:blank")
    tab.goto(site.url)
    expect(tab.get_by_text("Drop a recording here")).to_be_visible()
    return tab


def choose(page, *files):
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    chooser.value.set_files(list(files))


def test_one_file_is_sent_and_its_job_opened(page, site):
    choose(page, file_of("talk.wav", b"RIFF talk"))
    expect(page).to_have_url(re.compile("#/jobs/new1$"))
    assert b"RIFF talk" in site.uploads[0]
    expect(page.get_by_role("heading", name="Waiting: number 3 in line")).to_be_visible()


def test_several_files_are_dropped_anywhere_and_listed(page, site):
    dropped(page, "body", [("one.wav", b"1"), ("two.wav", b"2"), ("three.wav", b"3")])
    expect(page.locator(".history-row")).to_have_count(3)
    expect(page.get_by_role("region", name="Recordings being sent")).to_be_hidden()
    assert sorted(re.search(rb'filename="(\w+)\.wav"', body)[1] for body in site.uploads) == [b"one", b"three", b"two"]


def test_options_go_with_the_recording(page, site):
    page.get_by_text("Options").click()
    page.get_by_label("Number of speakers").fill("3")
    page.get_by_label("Language").select_option("German")
    page.get_by_label("Names and terms").fill("Parley, Anna Kowalska,")
    expect(page.locator("summary")).to_have_text("Options3 speakers, German")
    choose(page, file_of("talk.wav", b"x"))
    expect(page).to_have_url(re.compile("#/jobs/"))
    fields = re.findall(rb'name="(\w+)"\r\n\r\n([^\r]*)', site.uploads[0])
    names = [(b"hotwords", b"Parley"), (b"hotwords", b"Anna Kowalska")]
    assert fields == [(b"num_speakers", b"3"), (b"language", b"de"), *names]


def test_options_that_cannot_be_are_said(page, site):
    page.get_by_text("Options").click()
    page.get_by_label("At least").fill("5")
    expect(page.get_by_text("The least number of speakers is above the greatest.")).to_be_visible()
    page.get_by_text("Options").click()
    choose(page, file_of("talk.wav", b"x"))
    expect(page.get_by_text("The least number of speakers is above the greatest.")).to_be_visible()
    assert site.uploads == []


def test_refusals_are_told_and_can_be_tried_again(page, site):
    busy = {"code": "queue_full", "message": "50 jobs wait already", "retryable": True}
    site.upload_errors = [
        (415, {"code": "unreadable_audio", "message": "the file is no audio"}, {}),
        (429, busy, {"Retry-After": "1"}),
    ]
    choose(page, file_of("empty.wav", b""), file_of("notes.txt", b"text"))
    sending = page.get_by_role("region", name="Recordings being sent")
    expect(sending).to_contain_text("This file is empty. Choose another one.")
    expect(sending).to_contain_text("The file is no audio. Choose an audio or video file")
    sending.get_by_role("button", name="Try again").click()
    expect(sending).to_contain_text("50 jobs wait already. This file is sent again in 1 s.")
    expect(page.locator(".history-row")).to_have_count(1)
    sending.get_by_role("button", name="Do not send empty.wav").click()
    expect(sending).to_be_hidden()
    assert len(site.uploads) == 3


def test_leaving_with_an_unfinished_upload_warns_and_it_can_be_cancelled(page, site):
    site.upload_held.clear()
    choose(page, file_of("talk.wav", b"x"))
    expect(page.get_by_role("progressbar", name="Sending talk.wav")).to_be_visible()
    kinds = []
    page.once("dialog", lambda dialog: (kinds.append(dialog.type), dialog.dismiss()))
    page.close(run_before_unload=True)
    page.get_by_role("button", name="Do not send talk.wav").click()
    expect(page.get_by_role("region", name="Recordings being sent")).to_be_hidden()
    assert kinds == ["beforeunload"]


def test_address_is_checked_and_sent(page, site):
    link = page.get_by_label("Or give a link to one")
    link.fill("ftp://example.com/a.wav")
    link.press("Enter")
    expect(page.get_by_text("This is no web address.")).to_be_visible()
    assert site.uploads == []
    link.fill("https://example.com/a.wav")
    link.press("Enter")
    expect(page).to_have_url(re.compile("#/jobs/new1$"))
    assert json.loads(site.uploads[0]) == {"url": "https://example.com/a.wav"}


def test_refused_microphone_says_what_to_do(page):
    page.evaluate(NO_MICROPHONE)
    page.get_by_role("button", name="Record from the microphone").click()
    alert = page.get_by_role("dialog").get_by_role("alert")
    expect(alert).to_contain_text("Allow it for this page, in the settings beside its address, then try again.")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Record from the microphone")).to_be_focused()


def test_recording_from_the_microphone_is_paused_heard_and_sent(page, site):
    page.get_by_role("button", name="Record from the microphone").click()
    dialog = page.get_by_role("dialog", name="Record", exact=True)
    expect(dialog.get_by_role("timer")).to_have_text("0:01")
    until(page, "document.querySelector('.level').value > 0.3")
    dialog.get_by_role("button", name="Pause").click()
    expect(dialog.get_by_text("Paused")).to_be_visible()
    expect(dialog.get_by_label("Loudness")).to_have_js_property("value", 0)
    dialog.get_by_role("button", name="Go on").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keep it").click()
    dialog.get_by_role("button", name="Stop").click()
    expect(dialog).to_contain_text("Recorded 0:0")
    assert serious_faults(page) == []
    until(page, "document.querySelector('dialog audio').readyState >= 2")
    dialog.get_by_role("button", name="Transcribe").click()
    expect(page).to_have_url(re.compile("#/jobs/new1$"))
    assert re.search(rb'filename="Recording [\d-]+ \d\d\.\d\d\.webm"', site.uploads[0])
    assert b"\x1aE\xdf\xa3" in site.uploads[0]  # Matroska's first bytes
