"""The transcript in a real browser: what a user sees, clicks, types and gets saved."""

import re

import pytest

from tests.support.browser import chromium, serious_faults
from tests.support.page_server import page_server
from tests.support.transcript_page import bare_page, mount, shown_lines, tone
from tests.support.transcript_results import conversation, peaks_of, spoken

HOSTILE = "<script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(2)>"
TALK = spoken([("SPEAKER_00", "one two three four."), ("SPEAKER_01", "five six seven."), ("SPEAKER_00", "eight nine.")])
TIME = "document.querySelector('.time-now').textContent"
IN_SIGHT = """() => new Promise((done) => {
  const look = () => {
    const { top } = document.querySelector('.word.heard')?.getBoundingClientRect() ?? { top: -1 };
    top > 50 && top < 600 ? done(true) : requestAnimationFrame(look);
  };
  look();
})"""
GAPS = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => {
  const rows = [...document.querySelectorAll('.segment')].map((row) => row.getBoundingClientRect());
  done(rows.slice(1).map((row, k) => Math.round(row.top - rows[k].bottom)).filter((gap) => Math.abs(gap) > 1));
}))))"""
FOCUSED = "document.activeElement.getAttribute('aria-label')"
POSITION = "document.querySelector('[role=slider]').getAttribute('aria-valuetext')"


@pytest.fixture(scope="module")
def server():
    with page_server() as server:
        server.bodies["/audio.wav"] = tone(100)
        yield server


@pytest.fixture(scope="module")
def bare(server):
    with chromium() as browser, bare_page(browser, server, viewport={"width": 1280, "height": 800}) as page:
        yield page


@pytest.fixture
def page(bare):
    mount(bare, TALK, audio="/audio.wav", peaks=peaks_of(TALK))
    return bare


def document_of(page):
    saved = page.evaluate("window.mounted.document()")
    return [f"{s['speaker']}: {' '.join(w['word'] for w in s['words'])}" for s in saved["segments"]], saved["speakers"]


def segment(page, number):
    return page.locator(".segment").nth(number)


def test_it_shows_who_said_what_when(page):
    assert shown_lines(page) == [
        ("Speaker 1", "one two three four."),
        ("Speaker 2", "five six seven."),
        ("Speaker 1", "eight nine."),
    ]
    assert page.locator(".segment .time").all_text_contents() == ["0:00", "0:02", "0:03"]
    assert page.locator(".chip .name").all_text_contents() == ["Speaker 1", "Speaker 2"]
    assert page.locator(".lane-name").all_text_contents() == ["Speaker 1", "Speaker 2"]


def test_a_clicked_word_is_jumped_to_and_played_and_marked(bare):
    talk = spoken([("A", "one two three."), ("B", "four five six.")])
    talk["segments"][1]["words"][2]["end"] = 60.0
    mount(bare, talk, audio="/audio.wav")
    bare.get_by_text("five", exact=True).click()
    bare.locator(".segment.current .word.heard", has_text="six.").wait_for()  # it plays on
    assert bare.get_by_role("button", name="Pause", exact=True).is_visible()
    bare.keyboard.press("k")
    bare.get_by_role("button", name="Play", exact=True).wait_for()
    bare.locator(".segment").first.get_by_role("button", name="Go to 0 seconds").click()
    bare.locator(".word.heard", has_text="one").wait_for()


def test_the_text_follows_until_the_user_scrolls_and_again_when_asked(bare):
    mount(bare, conversation(), audio="/audio.wav")
    bare.locator(".word").nth(5).click()
    bare.mouse.wheel(0, 2000)
    bare.get_by_role("button", name="Follow").click()
    assert bare.evaluate(IN_SIGHT) is True
    assert bare.get_by_role("button", name="Follow").is_hidden()


def test_the_keyboard_plays_and_seeks(page):
    page.keyboard.press("Space")
    page.get_by_role("button", name="Pause", exact=True).wait_for()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Play", exact=True).wait_for()
    page.keyboard.press("n")
    page.keyboard.press("n")
    assert page.evaluate(TIME) == "0:02"
    page.keyboard.press("l")
    assert page.evaluate(TIME) == "0:07"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(TIME) == "0:02"
    page.keyboard.press("]")
    assert page.get_by_label("Playback speed").input_value() == "1.25"


def test_the_waveform_is_a_slider(page):
    slider = page.get_by_role("slider", name="Position in the recording")
    slider.focus()
    slider.press("PageUp")
    assert page.evaluate(POSITION) == "30 seconds of 1 minute 40 seconds"
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5, steps=3)
    page.mouse.up()
    assert page.evaluate(POSITION) == "50 seconds of 1 minute 40 seconds"
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Show all").click()


def test_a_speaker_is_renamed_everywhere_and_it_is_saved_and_undone(page):
    segment(page, 0).get_by_role("button", name="Speaker 1").click()
    page.get_by_label("Rename Speaker 1 everywhere").fill("Anna")
    page.keyboard.press("Enter")
    assert [speaker for speaker, _ in shown_lines(page)] == ["Anna", "Speaker 2", "Anna"]
    assert page.locator(".chip .name").first.text_content() == "Anna"
    page.get_by_text("Saved", exact=True).first.wait_for()
    (save,) = page.evaluate("window.saves")
    assert save["version"] == 0
    assert save["document"]["speakers"] == {"SPEAKER_00": "Anna", "SPEAKER_01": "SPEAKER_01"}
    page.keyboard.press("Control+z")
    assert [speaker for speaker, _ in shown_lines(page)] == ["Speaker 1", "Speaker 2", "Speaker 1"]
    page.keyboard.press("Control+Shift+z")
    assert shown_lines(page)[0][0] == "Anna"


def test_two_speakers_are_merged_and_one_is_added(page):
    page.get_by_role("group", name="Speakers").get_by_role("button", name=re.compile("Speaker 2")).click()
    page.get_by_role("group", name="Merge into").get_by_role("button", name="Speaker 1").click()
    assert {speaker for speaker, _ in shown_lines(page)} == {"Speaker 1"}
    page.get_by_role("button", name="Add a speaker").click()
    page.get_by_label("Name of the new speaker").fill("Bo")
    page.keyboard.press("Enter")
    assert document_of(page)[1] == {"SPEAKER_00": "SPEAKER_00", "SPEAKER_02": "Bo"}


def test_a_segment_and_words_move_to_another_speaker(page):
    segment(page, 2).focus()
    page.keyboard.press("2")
    assert document_of(page)[0][2] == "SPEAKER_01: eight nine."
    page.get_by_text("two", exact=True).click()
    page.get_by_text("three", exact=True).click(modifiers=["Shift"])
    page.get_by_role("region", name="Selected words").get_by_role("button", name="Speaker 2").click()
    assert document_of(page)[0][:3] == ["SPEAKER_00: one", "SPEAKER_01: two three", "SPEAKER_00: four."]
    segment(page, 3).get_by_role("button", name="Speaker 2").click()
    page.get_by_role("group", name="Move the segment to").get_by_role("button", name="New speaker").click()
    assert shown_lines(page)[3] == ("Speaker 3", "five six seven.")


def test_rows_lie_one_below_the_other_whatever_is_edited(bare):
    mount(bare, spoken([("A", "one two."), ("A", "three."), ("A", "four."), ("B", "five."), ("A", "six.")]))
    segment(bare, 1).focus()
    for keys in (("2",), ("Control+z",), ("e", "Control+a", "Delete", "Enter")):
        for key in keys:
            bare.keyboard.press(key)
        assert bare.evaluate(GAPS) == []
    bare.get_by_role("group", name="Speakers").get_by_role("button", name="B", exact=False).last.click()
    bare.get_by_role("group", name="Merge into").get_by_role("button", name="A").click()
    assert bare.evaluate(GAPS) == []
    assert [speaker for speaker, _ in shown_lines(bare)] == ["A"] * 4


def test_a_name_that_another_speaker_has_offers_to_merge_the_two(page):
    segment(page, 1).get_by_role("button", name="Speaker 2").click()
    page.get_by_label("Rename Speaker 2 everywhere").fill("speaker 1")
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="Merge with “Speaker 1”?").get_by_role("button", name="Merge the two").click()
    page.get_by_role("dialog").wait_for(state="detached")
    assert document_of(page)[1] == {"SPEAKER_00": "SPEAKER_00"}


def test_the_focus_stays_with_the_player_and_on_the_last_undo(page):
    page.get_by_label("Playback speed").select_option("2")
    assert page.evaluate(FOCUSED) == "Play"
    segment(page, 0).focus()
    page.keyboard.press("2")
    page.get_by_role("button", name="Undo").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUSED) == "Undo"
    assert shown_lines(page)[0][0] == "Speaker 1"


def test_every_speaker_has_a_number_and_only_those_heard_a_lane(bare):
    talk = spoken([*((f"SPEAKER_{k:02}", "hm.") for k in range(11)), (None, "who?")])
    mount(bare, {**talk, "speakers": [*talk["speakers"], "SPEAKER_11"]})
    assert bare.locator(".chip .swatch").all_text_contents() == [*(str(k + 1) for k in range(12)), "?"]
    assert bare.locator(".lane-name").all_text_contents() == [
        *(f"Speaker {k + 1}" for k in range(11)),
        "Unknown speaker",
    ]


def test_a_word_at_the_very_beginning_is_heard(bare):
    talk = spoken([("A", "one two.")])
    talk["segments"][0]["words"][0]["start"] = 0.0
    mount(bare, talk, audio="/audio.wav")
    assert bare.locator(".word.heard").all_text_contents() == ["one"]


def test_words_are_selected_by_dragging_over_them(page):
    first = page.get_by_text("five", exact=True).bounding_box()
    last = page.get_by_text("six", exact=True).bounding_box()
    page.mouse.move(first["x"] + 2, first["y"] + 10)
    page.mouse.down()
    page.mouse.move(last["x"] + last["width"] - 2, last["y"] + 10, steps=4)
    page.mouse.up()
    page.get_by_text("2 words — move to").wait_for()
    assert page.evaluate(TIME) == "0:00"  # a drag is no click
    page.keyboard.press("1")
    assert document_of(page)[0] == [
        "SPEAKER_00: one two three four. five six",
        "SPEAKER_01: seven.",
        "SPEAKER_00: eight nine.",
    ]


def test_segments_are_split_and_joined_by_keys(page):
    segment(page, 0).focus()
    for key in (".", ".", ".", "s"):
        page.keyboard.press(key)
    assert document_of(page)[0][:2] == ["SPEAKER_00: one two", "SPEAKER_00: three four."]
    segment(page, 0).focus()
    page.keyboard.press("m")
    assert document_of(page)[0][0] == "SPEAKER_00: one two three four."


def test_text_is_edited_in_its_place(page):
    page.get_by_text("six", exact=True).dblclick()
    field = page.get_by_role("textbox", name="Text of Speaker 2 at 2 seconds")
    assert field.input_value() == "five six seven."
    field.fill("five 6 n p 1 seven.")  # none of these letters is a command here
    field.press("Enter")
    assert shown_lines(page)[1] == ("Speaker 2", "five 6 n p 1 seven.")
    words = page.evaluate("window.mounted.document().segments[1].words")
    assert [words[0], words[-1]] == [
        {key: word[key] for key in ("word", "start", "end")} for word in (TALK["words"][4], TALK["words"][6])
    ]
    page.keyboard.press("e")
    page.keyboard.type("nothing of this")
    page.keyboard.press("Escape")
    assert shown_lines(page)[1] == ("Speaker 2", "five 6 n p 1 seven.")
    page.keyboard.press("Enter")
    page.locator("textarea").fill("")
    page.keyboard.press("Enter")
    assert len(shown_lines(page)) == 2


def test_search_counts_marks_and_steps(page):
    page.keyboard.press("Control+f")
    page.keyboard.type("E")
    count = page.locator(".search .count")
    assert count.text_content() == "1 of 8"
    page.keyboard.press("Shift+Enter")
    assert count.text_content() == "8 of 8"
    assert page.locator(".match-now").all_text_contents() == ["nine."]
    page.get_by_role("searchbox").fill("two three")
    assert page.locator(".match").all_text_contents() == ["two", "three"]
    page.get_by_text("1 of 1").nth(1).wait_for(state="attached")  # said in the live region, too
    page.get_by_role("searchbox").fill("nobody")
    assert count.text_content() == "No matches"


def test_a_failed_save_is_tried_again_and_a_conflict_is_told(page):
    page.evaluate("window.refusals = [{status: 503}]")
    segment(page, 0).focus()
    page.keyboard.press("2")
    page.get_by_text("Not saved, retrying").first.wait_for()
    page.evaluate("window.mounted.flush()")
    assert [save["version"] for save in page.evaluate("window.saves")] == [0]
    page.evaluate("window.refusals = [{status: 409, code: 'edit_conflict'}]")
    page.keyboard.press("1")
    page.get_by_role("button", name="Show the other version").click()
    assert page.evaluate("window.conflicts") == 1
    assert page.evaluate("window.mounted.flush().then(() => 'saved', (error) => error.message)") == (
        "the transcript was changed elsewhere, so that these edits are not saved"
    )


def test_saves_come_one_after_the_other_each_with_the_version_before(page):
    for key in ("2", "1", "2"):
        segment(page, 0).focus()
        page.keyboard.press(key)
        page.evaluate("window.mounted.flush()")
    saves = page.evaluate("window.saves")
    assert [save["version"] for save in saves] == [0, 1, 2]
    assert saves[2]["document"]["segments"][0]["speaker"] == "SPEAKER_01"


def test_help_lists_the_keys_and_takes_them(page):
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    assert "Undo" in dialog.text_content()
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert page.evaluate(TIME) == "0:00"


def test_names_and_words_are_shown_as_they_are(bare):
    talk = spoken([(HOSTILE, IMAGE), (None, "x")])
    edits = {"version": 3, "document": {"segments": [{"speaker": HOSTILE, "words": talk["words"]}], "speakers": {}}}
    mount(bare, talk, edits=edits)
    assert shown_lines(bare)[0] == (HOSTILE, " ".join(word["word"] for word in talk["words"]))
    bare.locator(".speaker-name").first.click()
    bare.get_by_label(f"Rename {HOSTILE} everywhere").fill(IMAGE)
    bare.keyboard.press("Enter")
    assert shown_lines(bare)[0][0] == IMAGE
    assert bare.locator("#root script, #root img").count() == 0


@pytest.mark.parametrize(
    ("talk", "lines"),
    [
        ({"segments": [], "words": [], "speakers": [], "speaker_turns": [], "duration": 3.0}, []),
        (spoken([("A", "alone.")]), [("A", "alone.")]),
        (spoken([(None, "who?"), (None, "me.")]), [("Unknown speaker", "who?"), ("Unknown speaker", "me.")]),
    ],
)
def test_without_audio_and_peaks_words_are_only_selected(bare, talk, lines):
    mount(bare, talk)
    assert shown_lines(bare) == lines
    assert bare.get_by_role("button", name="Play", exact=True).count() == 0
    if lines:
        bare.locator(".word").first.click()
        assert bare.get_by_role("region", name="Selected words").is_visible()
    else:
        assert bare.get_by_text("There are no words in this transcript.").is_visible()
    bare.keyboard.press("Space")
    assert serious_faults(bare, ".transcript") == []


def test_a_recording_that_cannot_be_played_is_told(bare, server):
    server.bodies["/broken.wav"] = b"not audio"
    mount(bare, TALK, audio="/broken.wav")
    bare.get_by_text("The recording cannot be played.").wait_for()
    bare.get_by_text("six", exact=True).click()
    assert bare.get_by_role("region", name="Selected words").is_visible()
    server.bodies["/broken.wav"] = tone(9)
    bare.get_by_role("button", name="Try again").click()
    bare.get_by_text("0:00 / 0:09").wait_for()
    assert bare.get_by_text("The recording cannot be played.").is_hidden()
    bare.evaluate("window.mounted.destroy()")
    assert bare.locator("#root .transcript").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(bare, scheme):
    bare.evaluate("(scheme) => { document.documentElement.dataset.theme = scheme; }", scheme)
    mount(bare, conversation(), audio="/audio.wav")
    bare.locator(".word").nth(30).click()
    bare.keyboard.press("k")
    bare.get_by_role("searchbox").fill("the")
    bare.keyboard.press("Enter")
    assert serious_faults(bare) == []
    segment(bare, 2).locator(".speaker-name").click()
    assert serious_faults(bare, ".transcript-popover") == []
    bare.keyboard.press("Escape")


def test_on_a_phone_the_player_stays_and_nothing_is_cut_off(bare):
    bare.set_viewport_size({"width": 390, "height": 844})
    mount(bare, conversation(), audio="/audio.wav")
    assert serious_faults(bare) == []
    assert bare.evaluate("document.documentElement.scrollWidth") == 390
    bar = bare.locator(".dock").bounding_box()
    assert bar["y"] + bar["height"] == pytest.approx(844, abs=1)
