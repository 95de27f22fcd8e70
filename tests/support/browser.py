"""A real headless Chromium, driven by Playwright, and pages whose faults are not overlooked."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.optional import needed, needed_program

ARGUMENTS = (
    "--no-sandbox",  # containers have no user namespaces for it
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


@contextmanager
def chromium() -> Iterator:
    """Start the system's Chromium; to be closed before another test runs an event loop in this thread."""
    needed("playwright")
    needed_program("chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - may be missing: the line before it skips then

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def watched_page(browser, **context_options) -> Iterator:
    """Open a page in a context of its own; errors of its scripts and breaches of its policy fail the test."""
    context = browser.new_context(**context_options)
    page = context.new_page()
    page.set_default_timeout(10_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    if faults:
        pytest.fail("\n".join(["the page has faults:", *faults]))


def serious_faults(page, root: str = "html") -> list[str]:
    """Return what axe-core finds serious or worse inside `root`: the rule, and the element it is about.

    A box in the top layer is to be looked at alone: axe takes its ground for that of the text below it.
    """
    axe = needed("axe_playwright_python")
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text())
    within = page.locator(root).first.element_handle()
    found = page.evaluate("root => axe.run(root, {resultTypes: ['violations'], preload: false})", within)["violations"]
    return [
        f"{fault['id']}: {node['html'][:200]} {node['failureSummary']}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]
