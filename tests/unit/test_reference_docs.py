import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def reference_docs():
    spec = importlib.util.spec_from_file_location("reference_docs", ROOT / ".ci" / "reference_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["docs/api.md", "docs/configuration.md"])
def test_the_page_says_what_the_code_says(name):
    assert (ROOT / name).read_text(encoding="utf-8") == reference_docs().PAGES[name](), "run: make docs"


@pytest.mark.parametrize("name", ["docs/api.md", "docs/configuration.md"])
def test_every_link_within_the_page_leads_somewhere(name):
    page = (ROOT / name).read_text(encoding="utf-8")
    headings = {heading.strip().lower() for heading in re.findall(r"^#+ (.*)$", page, flags=re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]*)\)", page)) <= headings
