"""NeMo's own modules, imported without most of what its packages import for training, data sets and other models.

`import nemo.collections.asr` imports some 6,000 modules, of which inference with one model needs a few hundred. Here
NeMo's files are imported once more, under names of their own (`lean_nemo.core` for `nemo.core`), so that `nemo` itself
stays as it is: imported before, afterwards or never. Wherever an import stands in these files, it finds

- of NeMo, modules of this copy. Packages do not run their `__init__`, which imports all that they have: it only tells
  where a name comes from, when it is asked for.
- of DEFERRED, promises: what is in these modules is imported when it is first used.
- of ABSENT, nothing, which NeMo is prepared for.
- of STAND_INS, what is said there.
- anything else, as usual.
"""

import ast
import builtins
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

from handlers.nemo.stand_ins import STAND_INS

PREFIX = "lean_"
ROOT = "nemo"
THIRD_PARTY = ("huggingface_hub", "hydra", "lightning", "onnx", "onnxruntime", "pandas", "scipy")
DEFERRED = (
    *THIRD_PARTY,
    "nemo.collections.asr.modules.conv_asr",  # other models' encoder
    "nemo.collections.asr.parts.preprocessing.perturb",  # changes to training audio
    "nemo.collections.asr.parts.submodules.ctc_decoding",
    "nemo.collections.asr.parts.utils.aligner_utils",
    "nemo.utils.cloud",
    "nemo.utils.export_utils",
)
ABSENT = (
    *("lhotse", "webdataset"),  # data sets
    "nemo.core.utils.k2_guard",  # lattices
    "nemo.utils.lightning_logger_patch",
)
RUN = ("nemo.core.neural_types", "nemo.utils")  # packages whose own `__init__` does more than importing, or no more
REPLACED = frozenset(name.partition(".")[0] for name in (ROOT, *DEFERRED, *ABSENT, *STAND_INS))


def import_lean(name: str) -> ModuleType:
    """Return the copy's module for NeMo's of this name; raises what NeMo's own code raises where it is another NeMo."""
    if FINDER not in sys.meta_path:
        sys.meta_path.insert(0, FINDER)  # before all others, as the parents' folders are NeMo's own
    return importlib.import_module(_renamed(name))


class Promise:
    """Something of the module `module`, imported when it is first used."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - anything
        if name.startswith("__"):  # Python asks for those that it could do something with
            raise AttributeError(name)
        return getattr(self._kept(), name)

    def __call__(self, *args: object, **options: object) -> Any:  # noqa: ANN401
        """Call what was promised."""
        return self._kept()(*args, **options)

    def __getitem__(self, key: object) -> Any:  # noqa: ANN401
        return self._kept()[key]

    def __mro_entries__(self, _: object) -> tuple[Any, ...]:
        return (self._kept(),)

    def __or__(self, other: object) -> Any:  # noqa: ANN401
        return Any  # in annotations

    __ror__ = __or__

    def _kept(self) -> Any:  # noqa: ANN401
        found = importlib.import_module(self._module)
        if not hasattr(found, self._name):
            importlib.import_module(f"{self._module}.{self._name}")
        return getattr(found, self._name)


class _Finder(MetaPathFinder):
    """Finds the copy's modules."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, _: object = None) -> ModuleSpec | None:
        real = name.removeprefix(PREFIX)
        if real == name or real.partition(".")[0] not in REPLACED:
            return None
        if _is_in(real, ABSENT):
            raise ModuleNotFoundError(f"No module named {real!r}", name=real)
        if _is_in(real, DEFERRED):
            return ModuleSpec(name, _Deferring(), is_package=True)
        if real in STAND_INS:
            return ModuleSpec(name, _StandingIn())
        return _copied(name, path)


FINDER = _Finder()


def _copied(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    spec = PathFinder.find_spec(name.removeprefix(PREFIX) if path is None else name, path)
    if spec is None or spec.origin is None:
        return None
    folders = spec.submodule_search_locations
    loader = _Copying(name, spec.origin)
    return importlib.util.spec_from_file_location(name, loader=loader, submodule_search_locations=folders)


class _Copying(SourceFileLoader):
    """Runs one of NeMo's files; code that Python has compiled for the file is used for the copy, too."""

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
        real = module.__name__.removeprefix(PREFIX)
        if hasattr(module, "__path__") and real not in RUN:
            origins = ast.parse(self.get_data(self.path)).body
            module.__dict__["__getattr__"] = partial(_looked_up, real, origins)
        else:
            super().exec_module(module)


class _Deferring(Loader):
    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__getattr__"] = partial(_promised, module.__name__.removeprefix(PREFIX))


class _StandingIn(Loader):
    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(STAND_INS[module.__name__.removeprefix(PREFIX)]())


def _import(name: str, globals_: Any = None, locals_: Any = None, fromlist: Any = (), level: int = 0) -> Any:  # noqa: ANN401 - Python's own
    """Import as the statement in a file of the copy asks, which Python has call this (`__builtins__`)."""
    return __import__(name if level else _renamed(name), globals_, locals_, fromlist, level)


def _renamed(name: str) -> str:
    return PREFIX + name if name.partition(".")[0] in REPLACED else name


def _is_in(name: str, modules: Sequence[str]) -> bool:
    return any(f"{name}.".startswith(f"{module}.") for module in modules)


def _promised(module: str, name: str) -> Promise:
    if name.startswith("__"):
        raise AttributeError(name)
    return Promise(module, name)


def _looked_up(package: str, origins: Sequence[ast.stmt], name: str) -> Any:  # noqa: ANN401
    """Return what the package's `__init__` would have imported under this name."""
    if name.startswith("__"):
        raise AttributeError(name)
    for origin in origins:
        if isinstance(origin, ast.ImportFrom) and origin.module:
            for alias in origin.names:
                if name == alias.name and origin.module == package:
                    return importlib.import_module(_renamed(f"{package}.{name}"))
                if alias.name == "*" or name == (alias.asname or alias.name):
                    found = __import__(_renamed(origin.module), fromlist=[alias.name])
                    if hasattr(found, name):
                        return getattr(found, name)
    raise AttributeError(f"module {package!r} has no attribute {name!r}")
