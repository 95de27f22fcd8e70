"""A root folder with nothing in it but Debian and its Python, and the steps of an image run in it.

Whatever runs in it has its own process ids and mounts, as in a container: it begins with process 1, and when that
ends, the kernel ends the others and takes the mounts away.
"""

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.build_context import BuildContext
from tests.support.dockerfile import ROOT, Copy, Image, Run
from tests.support.package_index import index_env, index_paths

PACKAGES = "python3,python3-pip,ca-certificates"
RELEASE = "bookworm"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
IS_POSSIBLE = os.geteuid() == 0
_PREFIX = "parley-images-"
_ROOM_BYTES = 6 << 30  # two images take two, and others need memory too
# each ends with the one before it, the test's process first, even when that is killed
_DIES_TOO = ("setpriv", "--pdeathsig=KILL")
_ALONE = (*_DIES_TOO, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")


@contextmanager
def roots_folder() -> Iterator[Path]:
    """Make a folder for roots, in memory where there is room: tens of thousands of files are gone in no time there."""
    memory = Path("/dev/shm")
    for left in memory.glob(f"{_PREFIX}*"):  # by a run that was killed
        if not Path("/proc", left.name.removeprefix(_PREFIX).partition("-")[0]).exists():
            shutil.rmtree(left)
    place = memory if _has_room(memory) else None
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _has_room(memory: Path) -> bool:
    if not memory.is_dir() or psutil.virtual_memory().available < _ROOM_BYTES:
        return False
    system = os.statvfs(memory)
    forbids = system.f_flag & (os.ST_NODEV | os.ST_NOEXEC)
    return not forbids and system.f_bavail * system.f_frsize >= _ROOM_BYTES


def debian_with_python(folder: Path) -> None:
    """Make `folder` like the image python:3.11-slim-bookworm, of Debian's own packages; needs root and its archive."""
    rules = folder / "etc/dpkg/dpkg.cfg.d/quick"
    rules.parent.mkdir(parents=True)
    rules.write_text("force-unsafe-io\n")  # nothing of it must outlive a power cut
    make = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(folder)]
    done = subprocess.run(make, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    (library,) = (folder / "usr/lib").glob("python3.*")
    (library / "EXTERNALLY-MANAGED").unlink()
    for file in library.rglob("*.pyc"):
        file.unlink()
    (folder / "usr/local/bin/python").symlink_to("/usr/bin/python3")


class CleanRoot:
    """An image's steps in the folder `root`."""

    def __init__(self, root: Path, image: Image, *, context: Path = ROOT) -> None:
        self._root = root
        self._image = image
        self._context = BuildContext(context)

    def build(self) -> None:
        """Run every step, in order."""
        for step in self._image.steps:
            if isinstance(step, Copy):
                self._context.copy(step.sources, self._root / step.target.lstrip("/"))
            else:
                self._run(step)

    def command(self, argv: list[str], env: Mapping[str, str]) -> list[str]:
        """Return what starts `argv` as a container of the image would: its user, folder and variables, and `env`."""
        image = self._image
        return self._inside(argv, user=image.user, folder=image.folder, env={**image.env, **env}, mounts=())

    def answer(self, code: str, *, timeout_s: float = 60) -> str:
        """Return what the image's Python prints for `code`, run as the image's user."""
        argv = self.command(["python", "-c", code], {})
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=True).stdout

    def _run(self, step: Run) -> None:
        home = self._user(step.user)[1]
        mounts = [f"{path}:{target}" for path, target in index_paths(home).items()]
        mounts.append("/etc/resolv.conf:/etc/resolv.conf")
        argv = self._inside(
            ["/bin/sh", "-c", step.command],
            user=step.user,
            folder=step.folder,
            env={**index_env(), **step.env},
            mounts=tuple(mounts),
        )
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, f"RUN {step.command}\n{done.stdout[-4000:]}"

    def _inside(
        self, argv: list[str], *, user: str, folder: str, env: Mapping[str, str], mounts: tuple[str, ...]
    ) -> list[str]:
        (self._root / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        ids, home = self._user(user)
        variables = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": home, **env}
        uid, gid = ids
        enter = ["chroot", str(self._root), *_DIES_TOO, f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
        enter += ["env", "-i", f"--chdir={folder}", *(f"{name}={value}" for name, value in variables.items()), *argv]
        return [*_ALONE, "sh", "-ec", self._mounting(mounts) + f"exec {shlex.join(enter)}"]

    def _mounting(self, mounts: tuple[str, ...]) -> str:
        root = shlex.quote(str(self._root))
        lines = [f"mount -t proc proc {root}/proc", f"mkdir -p {root}/dev/shm", f"mount -t tmpfs shm {root}/dev/shm"]
        for mount in mounts:
            source, _, target = mount.partition(":")
            inside = shlex.quote(f"{self._root}{target}")
            folder = "mkdir -p" if Path(source).is_dir() else f'mkdir -p "$(dirname {inside})" && touch'
            lines.append(f"[ -e {inside} ] || {{ {folder} {inside}; }}; mount --bind {shlex.quote(source)} {inside}")
        return "".join(f"{line}\n" for line in lines)

    def _user(self, user: str) -> tuple[tuple[str, str], str]:
        """Return the ids (user, group) and the home of a user of the root, named or numbered."""
        for line in (self._root / "etc/passwd").read_text().splitlines():
            name, _, uid, gid, _, home, _ = line.split(":")
            if user in (name, uid):
                return (uid, gid), home
        raise KeyError(user)
