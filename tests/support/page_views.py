"""Views of the page in a browser, and files that are dropped on it."""

import base64
import time
from contextlib import contextmanager
from mimetypes import guess_type

TIMEOUT_MS = 15_000
TRANSFER = """files => {
    const transfer = new DataTransfer();
    for (const [name, content] of files) {
        const bytes = Uint8Array.from(atob(content), character => character.charCodeAt(0));
        transfer.items.add(new File([bytes], name));
    }
    return transfer;
}"""


@contextmanager
def opened(browser, **context_options):
    """Yield a new page of its own context; what its scripts did not catch and what its policy stopped fail the test.

    Answers that are refusals are no faults: the page tells of them.
    """
    faults = []
    with browser.new_context(**context_options) as context:
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if _is_fault(message) else None)
        yield page
    assert faults == []


def file_of(name, content):
    """Return a file as Playwright gives it to a file chooser."""
    return {"name": name, "mimeType": guess_type(name)[0] or "", "buffer": content}


def dropped(page, target, files):
    """Drop files, names with bytes, on the element that `target` selects, with the events of a real drag."""
    encoded = [[name, base64.b64encode(content).decode()] for name, content in files]
    transfer = page.evaluate_handle(TRANSFER, encoded)
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event(target, event, {"dataTransfer": transfer})


def until(page, expression):
    """Wait until a JavaScript expression is true; Playwright's own waiting would need a policy that allows eval."""
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"still not: {expression}"
        page.wait_for_timeout(30)


def _is_fault(message):
    return message.type == "error" and "Failed to load resource" not in message.text
