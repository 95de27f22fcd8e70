"""docs/architecture.md is the code: every part in its box, every solid arrow an import, and no import without one."""

import ast
from functools import cache
from itertools import pairwise

from tests.support.architecture_diagram import DIAGRAM, PACKAGES, PATTERNS, ROWS, parts, read_diagram
from tests.support.markdown_pages import ROOT

BOXES = {"handlers": "handlers/: GPU", "orchestrator": "orchestrator/: CPU", "common": ""}
IN_THE_BROWSER = "page"  # its files are of orchestrator/, but it runs elsewhere


def test_every_line_of_the_diagram_is_read_once():
    assert DIAGRAM.unread == []
    ends = [end for first, second in DIAGRAM.imports for end in (first, second)]
    assert {*ends, *(end for first, _, second in DIAGRAM.calls for end in (first, second))} <= DIAGRAM.titles.keys()
    assert set(DIAGRAM.titles.values()) == ROWS.keys()
    assert len(DIAGRAM.titles) == len(ROWS)


def test_a_line_that_is_wrong_or_there_twice_is_not_read():
    wrong = ['a["again"]', "a ==> b", "a --> b", "a -.->|x| b"]
    text = "\n".join(["flowchart TB", 'a["one"]', "a --> b", "a -.->|x| b", *wrong])
    assert read_diagram(text).unread == wrong


def test_every_part_is_in_the_box_of_the_package_that_has_its_files():
    for node, patterns in PATTERNS.items():
        (package,) = {pattern.partition("/")[0] for pattern in patterns}
        assert DIAGRAM.boxes[node] == ("" if node == IN_THE_BROWSER else BOXES[package]), node


def test_every_file_is_of_a_part_and_every_pattern_has_files():
    assert [path for path, part in parts().items() if not part] == [], "say in docs/architecture.md where these belong"
    assert [pattern for patterns in PATTERNS.values() for pattern in patterns if not any(ROOT.glob(pattern))] == []
    assert set(parts().values()) == DIAGRAM.titles.keys()
    assert {path.partition("/")[0] for path in parts()} == set(PACKAGES)
    assert {part for path, part in parts().items() if path.endswith(".js")} == {IN_THE_BROWSER}


@cache
def imports_between_parts():
    """Return a witness for each pair of parts of which the first imports the second."""
    found = {}
    for path, part in parts().items():
        if path.endswith(".js"):
            continue
        for module in modules_in(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            target = parts().get(f"{module.replace('.', '/')}.py")
            if target is not None and target != part:
                found[part, target] = f"{path} imports {module}"
    return found


def modules_in(tree):
    """Yield every module that a file may import, names that are taken from a package included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{name.name}" for name in node.names))


def test_every_solid_arrow_is_an_import():
    assert imports_between_parts().keys() >= DIAGRAM.imports


def below(node):
    """Return the parts that solid arrows lead to, over several as well."""
    ahead = {second for first, second in DIAGRAM.imports if first == node}
    return ahead.union(*(below(one) for one in ahead))


def test_every_import_follows_solid_arrows_and_none_runs_back():
    astray = {pair: witness for pair, witness in imports_between_parts().items() if pair[1] not in below(pair[0])}
    assert astray == {}
    assert all(node not in below(node) for node in DIAGRAM.titles)


def test_no_path_is_longer_than_the_page_says():
    path = ["cli", "server", "client", "pipeline", "endpoints", "common"]
    assert all(pair in DIAGRAM.imports for pair in pairwise(path))
