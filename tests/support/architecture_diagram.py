"""The diagram and the table of docs/architecture.md, and to which of their parts each file of ours belongs."""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath

from tests.support.markdown_pages import ROOT, fences, pages

PACKAGES = ("common", "handlers", "orchestrator")
NODE = re.compile(r'(\w+)[\[(]+"([^"]+)"[\])]+')
BOX = re.compile(r'subgraph \w+\["([^"]+)"\]')
IMPORT = re.compile(r"(\w+) --> (\w+)")
CALL = re.compile(r"(\w+) -\.->\|([^|]+)\| (\w+)")


@dataclass(slots=True)
class Diagram:
    """The nodes with their titles, the box each is in ("" is none), solid and dotted arrows, and what is not read."""

    titles: dict[str, str] = field(default_factory=dict)
    boxes: dict[str, str] = field(default_factory=dict)
    imports: set[tuple[str, str]] = field(default_factory=set)
    calls: set[tuple[str, str, str]] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)


def read_diagram(text: str) -> Diagram:
    """Read a flowchart line by line; what is said twice or not understood is in `unread`."""
    diagram, box = Diagram(), ""
    for line in (one.strip() for one in text.splitlines()[1:]):
        if found := BOX.fullmatch(line):
            box = found[1]
        elif line == "end":
            box = ""
        elif (found := NODE.fullmatch(line)) and found[1] not in diagram.titles:
            diagram.titles[found[1]], diagram.boxes[found[1]] = found[2], box
        elif (found := IMPORT.fullmatch(line)) and (found[1], found[2]) not in diagram.imports:
            diagram.imports.add((found[1], found[2]))
        elif (found := CALL.fullmatch(line)) and (found[1], found[2], found[3]) not in diagram.calls:
            diagram.calls.add((found[1], found[2], found[3]))
        elif line:
            diagram.unread.append(line)
    return diagram


PAGE = pages()["docs/architecture.md"]
(DIAGRAM,) = (read_diagram(content) for language, content in fences(PAGE) if language == "mermaid")
ROWS = dict(re.findall(r"^\| ([^|`]+) \| (`[^|]+`) \|", PAGE.split("| part |")[1].split("\n\n")[0], flags=re.MULTILINE))
PATTERNS = {node: re.findall(r"`([^`]+)`", ROWS.get(title, "")) for node, title in DIAGRAM.titles.items()}


@cache
def parts() -> dict[str, str]:
    """Return the part of each Python and JavaScript file of ours; empty where the table has none for it."""
    paths = [path.relative_to(ROOT) for one in PACKAGES for path in (ROOT / one).rglob("*.[pj][ys]")]
    return {str(path): _part_of(path) for path in paths if path.parts[1:] != ("__init__.py",)}


def _part_of(path: Path) -> str:
    """Return the part in whose row a file is; the longest of the patterns that fit decides."""
    fitting = [
        (len(pattern), node)
        for node, patterns in PATTERNS.items()
        for pattern in patterns
        if (str(path).startswith(pattern) if pattern.endswith("/") else PurePath(path).match(pattern))
    ]
    return max(fitting, default=(0, ""))[1]


def part_of_module(module: str) -> str:
    """Return the part of a module of ours by its dotted name; KeyError where there is no such file."""
    return parts()[f"{module.replace('.', '/')}.py"]
