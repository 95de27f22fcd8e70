"""What a Dockerfile says: the instructions of Parley's images, read as the builder reads them; others are refused."""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

ROOT = Path(__file__).parents[2]
DOCKERFILES = (*sorted(ROOT.glob("Dockerfile.*")), ROOT / ".runpod/Dockerfile")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_FLAG = re.compile(r"--(\w+)=(\S+)\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A command, and what it runs with; `secrets` are the options of its secret mounts."""

    command: str
    user: str
    folder: str
    env: Mapping[str, str]
    secrets: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What is copied from the context, and the folder that it gets into."""

    sources: tuple[str, ...]
    target: str


@dataclass(slots=True)
class Image:
    """The steps that make an image, and what a container of it starts with."""

    base: str = ""
    steps: list[Run | Copy] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    user: str = "0"
    folder: str = "/"
    command: list[str] = field(default_factory=list)


def read_image(path: Path, **build_args: str) -> Image:
    """Read the Dockerfile at `path`, built with `build_args`; raises ValueError at what is not understood."""
    reader = _Reader(build_args)
    for instruction, rest in _instructions(path.read_text()):
        if instruction not in reader.understood:
            raise ValueError(f"{path.name}: {instruction} is not understood")
        reader.understood[instruction](reader, rest)
    if unknown := set(build_args) - set(reader.image.args):
        raise ValueError(f"{path.name} has no build argument {', '.join(sorted(unknown))}")
    return reader.image


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction and the rest of its line; comments are left out, continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", "", "\n".join(lines)).splitlines():
        instruction, _, rest = line.partition(" ")
        yield instruction, rest.strip()


class _Reader:
    def __init__(self, build_args: Mapping[str, str]) -> None:
        self.image = Image()
        self._given = build_args

    def base(self, rest: str) -> None:
        if self.image.base or not re.fullmatch(r"\S+", rest):
            raise ValueError(f"FROM {rest} is not understood: one stage, without a name")
        self.image.base = rest

    def arg(self, rest: str) -> None:
        name, has_default, default = rest.partition("=")
        if not has_default:
            raise ValueError(f"ARG {name} has no default")
        self.image.args[name] = self._given.get(name, self._words(default)[0] if default.strip('"') else "")

    def env(self, rest: str) -> None:
        self.image.env.update(self._pairs(rest))

    def label(self, rest: str) -> None:
        self.image.labels.update(self._pairs(rest))

    def workdir(self, rest: str) -> None:
        self.image.folder = str(Path(self.image.folder, self._words(rest)[0]))

    def user(self, rest: str) -> None:
        self.image.user = self._words(rest)[0]

    def copy(self, rest: str) -> None:
        if rest.startswith("--"):
            raise ValueError(f"COPY {rest} is not understood: no options")
        *sources, target = self._words(rest)
        self.image.steps.append(Copy(sources=tuple(sources), target=str(Path(self.image.folder, target))))

    def run(self, rest: str) -> None:
        secrets: list[dict[str, str]] = []
        while flag := _FLAG.match(rest):
            options = dict(one.split("=", 1) for one in flag[2].split(","))
            if flag[1] != "mount" or options.pop("type") != "secret":
                raise ValueError(f"RUN {flag[0]} is not understood: secret mounts only")
            secrets.append(options)
            rest = rest[flag.end() :]
        if "<<" in rest or rest.startswith(("[", "--")):
            raise ValueError(f"RUN {rest} is not understood: neither here documents nor lists")
        image = self.image
        step = Run(
            command=rest,
            user=image.user,
            folder=image.folder,
            env={**image.args, **image.env},
            secrets=tuple(secrets),
        )
        image.steps.append(step)

    def cmd(self, rest: str) -> None:
        self.image.command = list(json.loads(rest))  # the form without a shell: signals reach the worker

    def _pairs(self, rest: str) -> dict[str, str]:
        words = self._words(rest)
        if not all("=" in word for word in words):
            raise ValueError(f"{rest} is not understood: NAME=VALUE only")
        return dict(word.split("=", 1) for word in words)

    def _words(self, text: str) -> list[str]:
        """Split into words; variables, in words of their own or in parts, have their values."""
        known = {**self.image.args, **self.image.env}
        replaced = _VARIABLE.sub(lambda found: known[found[1] or found[2]], text)
        if "$" in replaced:
            raise ValueError(f"{text} is not understood: $NAME and ${{NAME}} only")
        return shlex.split(replaced)

    understood: ClassVar[Mapping[str, Callable[["_Reader", str], None]]] = {
        "FROM": base,
        "ARG": arg,
        "ENV": env,
        "LABEL": label,
        "WORKDIR": workdir,
        "USER": user,
        "COPY": copy,
        "RUN": run,
        "CMD": cmd,
    }
