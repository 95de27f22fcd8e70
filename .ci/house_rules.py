"""The rules of this house that no linter knows: sizes of files and functions, and who may import whom."""

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT_LIGHT = ("common", "orchestrator")  # imported by the CPU worker and the client, which must start fast
MAX_FILE_LINES, MEDIAN_FILE_LINES = 400, 120
MAX_FUNCTION_LINES, P90_FUNCTION_LINES, MEDIAN_FUNCTION_LINES = 60, 25, 10
FORBIDDEN_IN_COMMON = {"torch", "torchaudio", "runpod", "fastapi", "nemo", "pyannote", "faster_whisper"}
MAY_IMPORT_RUNPOD = {"common/runpod_loop.py"}
SLOW_IMPORTS = {"torch", "torchaudio", "runpod", "nemo", "pyannote.audio", "faster_whisper", "ctranslate2"}
LEFT_OUT = {".venv", "build", "dist", ".git"}


def sources() -> list[Path]:
    """Return every Python file of the project."""
    return sorted(path for path in ROOT.rglob("*.py") if not LEFT_OUT & set(path.relative_to(ROOT).parts))


def function_lengths(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield name and lines of each function, its docstring not counted."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node) is not None:
                lines -= (first.end_lineno or first.lineno) - first.lineno + 1
            yield node.name, lines


def imports(node: ast.AST) -> set[str]:
    """Return the modules imported anywhere below `node`."""
    found = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            found |= {name.name for name in child.names}
        elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
            found.add(child.module)
    return found


def hits(used: set[str], banned: set[str]) -> list[str]:
    """Return which of `banned` are imported, themselves or by a module inside them."""
    return sorted(name for name in banned if any(f"{module}.".startswith(f"{name}.") for module in used))


def import_faults(name: str, tree: ast.Module) -> Iterator[str]:
    """Yield each import of one file that the layering forbids."""
    package, used = name.partition("/")[0], imports(tree)
    forbidden = {
        "common": {"handlers", "orchestrator"}
        | FORBIDDEN_IN_COMMON - ({"runpod"} if name in MAY_IMPORT_RUNPOD else set()),
        "handlers": {"orchestrator"},
        "orchestrator": {"handlers"},
    }.get(package, set())
    yield from (f"{name}: {package} must not import {other}" for other in hits(used, forbidden))
    if package in KEPT_LIGHT:
        at_import = set().union(
            *(imports(node) for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)))
        )
        yield from (f"{name}: import {other} inside a function" for other in hits(at_import, SLOW_IMPORTS))


def size_faults(file_lines: dict[str, int], function_lines: list[tuple[str, int]]) -> Iterator[str]:
    """Yield each size that is above its limit."""
    yield from (
        f"{name}: {lines} lines, limit {MAX_FILE_LINES}" for name, lines in file_lines.items() if lines > MAX_FILE_LINES
    )
    yield from (
        f"{name}: {lines} lines, limit {MAX_FUNCTION_LINES}"
        for name, lines in function_lines
        if lines > MAX_FUNCTION_LINES
    )
    lengths = [lines for _, lines in function_lines]
    found = {
        "median file": (statistics.median(file_lines.values()), MEDIAN_FILE_LINES),
        "median function": (statistics.median(lengths), MEDIAN_FUNCTION_LINES),
        "p90 function": (statistics.quantiles(lengths, n=10)[-1], P90_FUNCTION_LINES),
    }
    yield from (
        f"{what} has {lines:.0f} lines, limit {limit}" for what, (lines, limit) in found.items() if lines > limit
    )
    summary = ", ".join(f"{what} {lines:.0f}" for what, (lines, _) in found.items())
    print(f"{len(file_lines)} files, {len(lengths)} functions; lines: {summary}")


def main() -> int:
    """Print every fault; returns 1 if there is one."""
    file_lines, function_lines, faults = {}, [], []
    for path in sources():
        name, text = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        file_lines[name] = text.count("\n")
        function_lines += [(f"{name}:{function}", lines) for function, lines in function_lengths(tree)]
        faults += import_faults(name, tree)
    faults += size_faults(file_lines, function_lines)
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
