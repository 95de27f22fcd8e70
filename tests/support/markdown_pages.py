"""The project's Markdown pages: their links, headings, code, and what of it may be a name."""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEFT_OUT = {
    ".venv",
    ".git",
    "build",
    "dist",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    "__pycache__",
}
FENCE = re.compile(r"^( *)(```|~~~)([\w-]*)[^\n]*\n(.*?)^\1\2 *$", flags=re.DOTALL | re.MULTILINE)
CODE_SUFFIXES = {".py", ".js", ".toml", ".yaml", ".yml", ".json", ".conf", ".service", ".html", ".env", ".sh", ".in"}
WITHOUT_SUFFIX = ("Makefile", "Dockerfile", "compose", "nginx")


@cache
def files() -> tuple[Path, ...]:
    """Return every file of the project; the folders of packages and caches are not even looked into."""
    found = []
    for folder, inner, names in os.walk(ROOT):
        inner[:] = sorted(set(inner) - LEFT_OUT)
        found += [Path(folder, name) for name in sorted(names)]
    return tuple(found)


@cache
def pages() -> dict[str, str]:
    """Return the text of every page by its path from the root."""
    found = (path for path in files() if path.suffix == ".md")
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in found}


def fences(text: str) -> Iterator[tuple[str, str]]:
    """Yield the language and the content of each fenced block."""
    for _, _, language, content in FENCE.findall(text):
        yield language, content


def prose(text: str) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", text)


def spans(text: str) -> list[str]:
    """Return what stands between backticks in a page's prose, line breaks as spaces."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(text))]


def commands(text: str) -> list[str]:
    """Return the lines of shell blocks and what is between backticks, each without a comment."""
    lines = "\n".join(content for language, content in fences(text) if language in {"sh", "bash", "console", ""})
    joined = lines.replace("\\\n", " ").splitlines()
    return [re.sub(r"\s#.*", "", line).strip() for line in [*joined, *spans(text)]]


def shell_lines(text: str) -> list[str]:
    """Return the commands of a page's shell blocks, each with what continues it."""
    blocks = "".join(content for language, content in fences(text) if language == "sh")
    return re.split(r"\n(?! )", blocks.replace("\\\n", "").strip())


def links(text: str) -> list[str]:
    """Return the targets of links and pictures; code has none."""
    bare = re.sub(r"`[^`]*`", "", prose(text))
    return re.findall(r"\]\(\s*<?([^)\s>]+)", bare) + re.findall(r"(?:src|href)=\"([^\"]+)\"", bare)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: dict[str, int] = {}
    anchors: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.*?) *#*$", prose(text), flags=re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        anchors.add(f"{slug}-{found[slug]}" if slug in found else slug)
        found[slug] = found.get(slug, 0) + 1
    return anchors


@cache
def code_words() -> frozenset[str]:
    """Return every name in what is no page and no test, and the names of all modules: what the pages speak of."""
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in _code_files())
    modules = (path.stem for path in files() if path.suffix == ".py")
    return frozenset(word for text in texts for word in re.findall(r"\w+", text)).union(modules)


def _code_files() -> Iterator[Path]:
    for path in files():
        known = path.suffix in CODE_SUFFIXES or (path.name.startswith(WITHOUT_SUFFIX) and path.suffix != ".md")
        if known and path.relative_to(ROOT).parts[0] != "tests":
            yield path
