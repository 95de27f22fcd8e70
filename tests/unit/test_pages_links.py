"""No page has a dead link: files, headings, and addresses that are at least well formed."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.markdown_pages import ROOT, anchors, links, pages


@pytest.mark.parametrize("name", pages())
def test_links_lead_somewhere(name):
    assert [fault for target in links(pages()[name]) if (fault := fault_of(name, target))] == []


def fault_of(page, target):
    """Return what is wrong with a link of a page; empty if nothing is."""
    parts = urlsplit(target)
    if parts.scheme:
        well_formed = parts.scheme in {"http", "https"} and "." in parts.netloc.strip(".")
        return "" if well_formed or parts.hostname in {"localhost", "127.0.0.1"} else f"{target}: no address"
    path = (ROOT / Path(page).parent / parts.path).resolve() if parts.path else ROOT / page
    if not path.exists():
        return f"{target}: there is no such file"
    inner = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else ""
    if parts.fragment and parts.fragment not in anchors(pages().get(inner, "")):
        return f"{target}: {inner} has no such heading"
    return ""


def test_all_kinds_of_dead_links_are_found():
    assert fault_of("docs/api.md", "api.md#errors") == ""
    assert "no such file" in fault_of("docs/api.md", "docs/api.md")
    assert "no such heading" in fault_of("docs/api.md", "#mistakes")
    assert "no address" in fault_of("README.md", "https://nowhere")
    assert anchors("# A `b`, c!\n\n## Same\n\n## Same\n") == {"a-b-c", "same", "same-1"}
    assert links("[a](b.md) `[c](d.md)` ![e](<f.png>)\n\n```sh\n[g](h)\n```\n") == ["b.md", "f.png"]


def test_every_page_can_be_found_from_the_readme():
    seen, left = set(), ["README.md"]
    while left:
        page = left.pop()
        seen.add(page)
        paths = {urlsplit(target).path for target in links(pages()[page]) if not urlsplit(target).scheme}
        found = {str((ROOT / Path(page).parent / path).resolve().relative_to(ROOT)) for path in paths if path}
        left += sorted((found & pages().keys()) - seen)
    wanted = {name for name in pages() if name.startswith("docs/") or "/" not in name}
    assert wanted - seen == set()
