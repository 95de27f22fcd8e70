"""The steps of an image in a clean virtual environment, where nobody may make a root folder for them."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.build_context import BuildContext
from tests.support.dockerfile import ROOT, Copy, Image, Run
from tests.support.package_index import index_env


class CleanVenv:
    """An image's steps in `folder`: there are no other users, and the image's folder is a folder inside it."""

    def __init__(self, folder: Path, image: Image, *, context: Path = ROOT) -> None:
        self._folder = folder
        self._image = image
        self._context = BuildContext(context)
        self._home = folder / "home"

    def build(self) -> None:
        """Run the steps in order, but for those that shape the system itself (the first, which makes the user)."""
        self._home.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "venv", str(self._folder / "venv")], check=True)
        for step in self._image.steps:
            if isinstance(step, Copy):
                self._context.copy(step.sources, self._inside(step.target))
            elif not step.command.startswith("useradd "):
                self._run(step)

    def command(self, argv: list[str], env: Mapping[str, str]) -> list[str]:
        """Return what starts `argv` with the image's folder and variables, and `env`."""
        return self._started(argv, folder=self._image.folder, env={**self._image.env, **env})

    def answer(self, code: str, *, timeout_s: float = 60) -> str:
        """Return what the environment's Python prints for `code`."""
        argv = self.command(["python", "-c", code], {})
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=True).stdout

    def _run(self, step: Run) -> None:
        argv = self._started(
            ["/bin/sh", "-c", step.command],
            folder=step.folder,
            env={**index_env(), **step.env, "HOME": str(Path.home())},
        )
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, f"RUN {step.command}\n{done.stdout[-4000:]}"

    def _started(self, argv: list[str], *, folder: str, env: Mapping[str, str]) -> list[str]:
        inside = self._inside(folder)
        inside.mkdir(parents=True, exist_ok=True)
        path = f"{self._folder / 'venv/bin'}:{os.environ['PATH']}"
        variables = {"PATH": path, "LANG": "C.UTF-8", "HOME": str(self._home), **env}
        variables = {name: str(inside) if value == folder else value for name, value in variables.items()}
        return ["env", "-i", f"--chdir={inside}", *(f"{name}={value}" for name, value in variables.items()), *argv]

    def _inside(self, folder: str) -> Path:
        return self._folder / "image" / folder.lstrip("/")
