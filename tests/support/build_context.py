"""What of a folder a builder is sent: all but what its .dockerignore leaves out."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


class BuildContext:
    """The folder `root` as the builder sees it: https://docs.docker.com/build/concepts/context/#dockerignore-files"""

    def __init__(self, root: Path) -> None:
        self._root = root
        lines = (line.strip() for line in (root / ".dockerignore").read_text().splitlines())
        self._rules = [_rule(line) for line in lines if line and not line.startswith("#")]

    def is_sent(self, path: str) -> bool:
        """Tell whether `path`, relative to the root, is sent: the last rule that fits it or a folder above decides."""
        above = [str(one) for one in (PurePosixPath(path), *PurePosixPath(path).parents)]
        sent = True
        for pattern, brings_back in self._rules:
            if any(pattern.fullmatch(one) for one in above):
                sent = brings_back
        return sent

    def files(self, source: str) -> Iterator[PurePosixPath]:
        """Yield the files of `source`, a file or a folder, that are sent, relative to the root."""
        path = self._root / source
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            relative = file.relative_to(self._root)
            if not file.is_dir() and self.is_sent(relative.as_posix()):
                yield PurePosixPath(relative)

    def copy(self, sources: tuple[str, ...], target: Path) -> None:
        """Do what COPY does: a file gets into the folder `target`, of a folder what is in it."""
        for source in sources:
            files = list(self.files(source))
            if not files:
                raise FileNotFoundError(f"COPY {source}: the builder is sent no such file")
            folder = PurePosixPath(source) if (self._root / source).is_dir() else PurePosixPath(source).parent
            for file in files:
                copied = target / file.relative_to(folder)
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self._root / file, copied)


def _rule(line: str) -> tuple[re.Pattern[str], bool]:
    brings_back = line.startswith("!")
    parts = [_part(part) for part in line.removeprefix("!").strip("/").split("/")]
    return re.compile("/".join(parts).replace("**/", "(?:[^/]+/)*")), brings_back


def _part(part: str) -> str:
    if part == "**":
        return part
    if not re.fullmatch(r"[\w.*-]+", part):
        raise ValueError(f"{part} in .dockerignore is not understood")
    return re.escape(part).replace(r"\*", "[^/]*")
