"""NeMo checkpoints, loaded without a random initialisation and without a second copy of the weights.

A `.nemo` file is a tar archive: a configuration, a tokenizer, and the weights as `torch.save` writes them. NeMo unpacks
it to a temporary folder, fills every weight with random numbers, reads the stored ones and copies them over.
"""

import gzip
import os
import pickle
import posixpath
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from common.errors import ConfigurationError
from handlers.device import first_line
from handlers.nemo.quiet_import import import_nemo, quiet
from handlers.nemo.weights import Weights, read_ahead, read_state_dict

CONFIG = "model_config.yaml"
WEIGHTS = "model_weights.ckpt"
# How modules fill new parameters; one that is not listed costs time and changes nothing.
FILLS = frozenset(("uniform_", "normal_", "zero_", "fill_", "constant_", "kaiming_uniform_", "kaiming_normal_"))
# What Python and torch raise for damaged files; RuntimeError is torch's.
DAMAGED = (OSError, EOFError, RuntimeError, LookupError, ValueError, tarfile.TarError, zipfile.BadZipFile, zlib.error)


def restore(checkpoint: Path, *, device: str, variable: str) -> Any:  # noqa: ANN401 - NeMo has no types
    """Return the network of a `.nemo` file, or of the folder it was unpacked to, equal to what `restore_from` returns.

    Where the file allows, the weights are a private memory mapping of it: read when first used, never written back. On
    the CPU they stay so: the file may be deleted or replaced by renaming, but not overwritten or shortened in place.
    Raises ConfigurationError for files that are no complete checkpoint, naming the environment variable `variable` that
    chose it; errors of the network's own code pass through.
    """
    with _chosen_by(variable), quiet():
        with _complete():
            read_ahead(checkpoint / WEIGHTS if checkpoint.is_dir() else checkpoint)  # while NeMo is imported
        model_type = import_nemo()
        network = model_type.restore_from(str(checkpoint), map_location="cpu", save_restore_connector=_connector())
        return network.to(device)


@contextmanager
def _chosen_by(variable: str) -> Iterator[None]:
    """Add to a ConfigurationError where another checkpoint is chosen."""
    try:
        yield
    except ConfigurationError as error:
        cure = f"download or copy it again, or set {variable} to another that NeMo 3.0 can restore"
        raise ConfigurationError(f"{error.message}: {cure}", param=variable) from None


def _connector() -> Any:  # noqa: ANN401 - NeMo has no types
    """Return NeMo's extension point for where models come from, with both of its steps replaced."""
    from nemo.core.connectors.save_restore_connector import SaveRestoreConnector  # noqa: PLC0415 - takes seconds

    class MappingConnector(SaveRestoreConnector):  # type: ignore[misc] # NeMo has no types
        def load_config_and_state_dict(self, calling_cls: Any, restore_path: str, *_: object) -> Any:  # noqa: ANN401 - NeMo's
            with _opened(Path(restore_path)) as (folder, weights):
                config = _configuration(folder)
                with _complete():
                    stored = read_state_dict(weights)
                with _being_restored(folder), _unfilled():
                    return config, calling_cls.from_config_dict(config=config), stored

        def load_instance_with_state_dict(self, instance: Any, state_dict: dict[str, Any], *_: object) -> None:  # noqa: ANN401 - NeMo's
            _assign(instance, state_dict)

    return MappingConnector()


@contextmanager
def _opened(checkpoint: Path) -> Iterator[tuple[Path, Weights]]:
    """Yield a folder with the checkpoint's members, without the weights where these can be read in place."""
    with ExitStack() as stack:
        folder, weights = checkpoint, None
        with _complete():
            if not checkpoint.is_dir():
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                weights = _unpack(stack.enter_context(_archive(checkpoint)), folder)
            if weights is None:
                path = folder / WEIGHTS
                weights = Weights(file=stack.enter_context(path.open("rb")), path=path, offset=0)
        yield folder, weights


@contextmanager
def _complete() -> Iterator[None]:
    """Turn what damaged files raise into one ConfigurationError."""
    try:
        yield
    except pickle.UnpicklingError:
        reason = "its weights are damaged, or hold more than tensors, which is not safe to load"
    except FileNotFoundError as error:
        reason = f"{Path(error.filename or '').name} is missing"
    except DAMAGED as error:
        reason = first_line(error)
    else:
        return
    raise ConfigurationError(f"the model's checkpoint is damaged, cut short or none of NeMo's ({reason})")


def _archive(checkpoint: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(checkpoint, "r:")
    except tarfile.ReadError:
        return tarfile.open(checkpoint, "r:gz")  # as NeMo wrote them before 1.7


def _unpack(archive: tarfile.TarFile, folder: Path) -> Weights | None:
    """Extract all members but the weights, and those too if they cannot be read in place."""
    from nemo.utils.tar_utils import safe_extract  # noqa: PLC0415 - takes seconds

    weights = None
    compressed = isinstance(archive.fileobj, gzip.GzipFile)
    for member in archive:
        if posixpath.normpath(member.name) == WEIGHTS and not compressed and member.isreg() and not member.issparse():
            file, path = archive.extractfile(member), Path(os.fsdecode(archive.name or ""))
            weights = Weights(file=file, path=path, offset=member.offset_data) if file else None
        else:
            safe_extract(archive, str(folder), [member], skip_unsafe=True)
    return weights


def _configuration(folder: Path) -> Any:  # noqa: ANN401 - OmegaConf has no types here
    from omegaconf import OmegaConf  # noqa: PLC0415 - comes with NeMo
    from yaml import YAMLError  # noqa: PLC0415 - comes with OmegaConf

    with _complete():
        try:
            config = OmegaConf.load(folder / CONFIG)
        except YAMLError:
            raise ValueError(f"{CONFIG} is no YAML") from None
    config = config.get("model", config)
    OmegaConf.set_struct(config, True)  # noqa: FBT003 - OmegaConf's signature
    return config


@contextmanager
def _being_restored(folder: Path) -> Iterator[None]:
    """Tell a network under construction where its tokenizer is, and to set up no training data."""
    from nemo.utils.app_state import AppState  # noqa: PLC0415 - takes seconds

    state = AppState()
    state.is_model_being_restored, state.nemo_file_folder = True, str(folder)
    try:
        yield
    finally:
        state.is_model_being_restored, state.nemo_file_folder = False, None


def _unfilled() -> AbstractContextManager[object]:
    """Return a context in which the modules that this thread builds leave their parameters as allocated: unused.

    Parameters on the meta device would do as well, had NeMo not made positional encodings on the parameters' device.
    """
    from torch.nn import Parameter  # noqa: PLC0415 - takes seconds
    from torch.overrides import TorchFunctionMode  # noqa: PLC0415 - takes seconds

    class Unfilled(TorchFunctionMode):  # type: ignore[misc] # torch has no types here
        def __torch_function__(self, function: Any, _types: object, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401 - any function
            target = args[0] if args else (kwargs or {}).get("tensor")
            if isinstance(target, Parameter) and function.__name__ in FILLS:
                return target
            return function(*args, **kwargs or {})

    return Unfilled()


def _assign(network: Any, stored: dict[str, Any]) -> None:  # noqa: ANN401 - NeMo has no types
    """Make the stored tensors the network's own, in the number formats that it was built with."""
    expected = network.state_dict()
    for name in stored.keys() & expected.keys():
        stored[name] = stored[name].to(expected[name].dtype)
    try:
        keys = network.load_state_dict(stored, strict=False, assign=True)
    except RuntimeError as error:  # shapes that differ, each on a line after the first
        raise _misfit(str(error).splitlines()[-1].strip()) from None
    if keys.missing_keys:
        raise _misfit(f"{len(keys.missing_keys)} missing, such as {keys.missing_keys[0]}")
    if keys.unexpected_keys:
        raise _misfit(f"{len(keys.unexpected_keys)} too many, such as {keys.unexpected_keys[0]}")


def _misfit(reason: str) -> ConfigurationError:
    return ConfigurationError(f"the weights in the model's checkpoint do not fit its configuration ({reason})")
