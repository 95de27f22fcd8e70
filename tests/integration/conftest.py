"""A browser and a scripted site, one of each for all tests of a file."""

import pytest

from tests.support.browser import chromium
from tests.support.optional import needed
from tests.support.page_views import opened
from tests.support.scripted_site import scripted_site


@pytest.fixture(scope="module")
def browser():
    needed("playwright.sync_api").expect.set_options(timeout=15_000)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def served():
    with scripted_site() as site:
        yield site


@pytest.fixture(scope="module")
def tab(browser):
    with opened(browser) as page:
        yield page


@pytest.fixture
def site(served):
    served.forget()
    return served
