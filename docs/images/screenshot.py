"""Make docs/images/page.png with the system's Chromium: the page of a running `make serve`, told as its first argument.

The packaged sample is dropped on it, its two speakers get the names they say, and a word is played.
"""  # noqa: INP001 - a script beside the picture that it makes, no package

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from orchestrator.demo import sample_folder

PICTURE = Path(__file__).with_name("page.png")
VIEW = {"width": 1100, "height": 920}
NAMES = {"SPEAKER_00": "Diane", "SPEAKER_01": "Sheila"}
DONE_MS = 300_000  # the models may still be loading


def transcribe(page: Page, recording: Path) -> None:
    """Choose the recording and wait for its transcript."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    chooser.value.set_files(recording)
    page.get_by_role("list", name="Transcript").wait_for(timeout=DONE_MS)


def rename(page: Page, label: str, name: str) -> None:
    """Give a speaker a name, as a user does."""
    page.locator(f".chip[data-label={label}]").click()
    page.get_by_label("Rename").fill(name)
    page.get_by_role("button", name="Rename").click()
    page.locator(".chip", has_text=name).wait_for()


def play(page: Page, word: str) -> None:
    """Play a word, and leave the page as it looks then."""
    page.locator(".word", has_text=word).first.click()
    page.get_by_role("button", name="Pause", exact=True).click()
    page.mouse.move(0, 0)  # what the mouse is over is marked, too
    page.locator(".save-state[data-state=saved]").wait_for()


def main(url: str = "http://127.0.0.1:8080") -> None:
    """Take the picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=VIEW, reduced_motion="reduce")
        page.goto(url)
        transcribe(page, sample_folder() / "sample.wav")
        for label, name in NAMES.items():
            rename(page, label, name)
        play(page, "Chicago")
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:2])
