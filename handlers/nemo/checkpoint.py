"""NeMo checkpoints, loaded without a random initialisation and without a second copy of the weights.

A `.nemo` file is a tar archive: a configuration, a tokenizer, and the weights as `torch.save` writes them. NeMo unpacks
it to a temporary folder, fills every weight with random numbers, reads the stored ones and copies them over. Parakeets
are built of NeMo's parts, without the thousands of modules that are imported for NeMo's model class; others by it.
"""

import gzip
import logging
import os
import pickle
import posixpath
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from common.cold_start import stage_passed
from common.errors import ConfigurationError
from common.logs import log_event
from handlers.device import first_line
from handlers.nemo.lean_copy import import_lean
from handlers.nemo.quiet_import import import_nemo, quiet
from handlers.nemo.weights import Weights, read_ahead, read_state_dict

CONFIG = "model_config.yaml"
WEIGHTS = "model_weights.ckpt"
# What Python and torch raise for damaged files; RuntimeError is torch's, OverflowError tarfile's.
DAMAGED = (
    *(OSError, EOFError, RuntimeError, LookupError, ValueError, OverflowError, MemoryError),
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error),
)

logger = logging.getLogger(__name__)


def restore(checkpoint: Path, *, device: str, variable: str) -> Any:  # noqa: ANN401 - NeMo has no types
    """Return the network of a `.nemo` file, or of the folder it was unpacked to, equal to what `restore_from` returns.

    Where the file allows, the weights are a private memory mapping of it: read when first used, never written back. On
    the CPU they stay so: the file may be deleted or replaced by renaming, but not overwritten or shortened in place.
    Raises ConfigurationError for files that are no complete checkpoint, naming the environment variable `variable` that
    chose it; errors of the network's own code pass through.
    """
    with _chosen_by(variable), quiet():
        with _complete():
            read_ahead(checkpoint / WEIGHTS if checkpoint.is_dir() else checkpoint)  # while torch is imported
        with _opened(checkpoint) as (folder, weights):
            config = _configuration(folder)
            with _complete():
                stored = read_state_dict(weights)
            network = _of_parts(config, folder) or _of_nemo(checkpoint, config, folder)
        _assign(network, stored)
        return network.to(device)


@contextmanager
def _chosen_by(variable: str) -> Iterator[None]:
    """Add to a ConfigurationError where another checkpoint is chosen."""
    try:
        yield
    except ConfigurationError as error:
        cure = f"download or copy it again, or set {variable} to another that NeMo 3.0 can restore"
        raise ConfigurationError(f"{error.message}: {cure}", param=variable) from None


def _of_parts(config: dict[str, Any], folder: Path) -> Any | None:  # noqa: ANN401 - NeMo has no types
    """Return a Parakeet's network, built without most of NeMo; None for other models and other versions of NeMo."""
    from handlers.nemo.transducer import Transducer, is_transducer  # noqa: PLC0415 - takes seconds
    from handlers.unfilled import Unfilled  # noqa: PLC0415 - takes seconds

    stage_passed("library")
    if not is_transducer(config):
        log_event(logger, "loaded_by_nemo")
        return None
    try:
        with Unfilled():
            return Transducer(config, folder)
    except (ImportError, AttributeError) as error:
        log_event(logger, "lean_import_failed", reason=first_line(error))
        return None


def _of_nemo(checkpoint: Path, config: dict[str, Any], folder: Path) -> Any:  # noqa: ANN401
    """Return the network of any model as NeMo builds it, from the extracted `config` and `folder`."""
    model_type = import_nemo()
    stage_passed("library")
    connector = _connector(config, folder)
    return model_type.restore_from(str(checkpoint), map_location="cpu", save_restore_connector=connector)


def _connector(config: dict[str, Any], folder: Path) -> Any:  # noqa: ANN401
    """Return NeMo's extension point for where models come from, with both of its steps replaced."""
    from nemo.core.connectors.save_restore_connector import SaveRestoreConnector  # noqa: PLC0415 - takes seconds
    from omegaconf import OmegaConf  # noqa: PLC0415 - comes with NeMo

    from handlers.unfilled import Unfilled  # noqa: PLC0415 - takes seconds

    class UnfilledConnector(SaveRestoreConnector):  # type: ignore[misc] # NeMo has no types
        def load_config_and_state_dict(self, calling_cls: Any, *_: object) -> Any:  # noqa: ANN401 - NeMo's
            given = OmegaConf.create(config)
            OmegaConf.set_struct(given, True)  # noqa: FBT003 - OmegaConf's signature
            with _being_restored(folder), Unfilled():
                return given, calling_cls.from_config_dict(config=given), {}

        def load_instance_with_state_dict(self, *_: object) -> None:
            pass  # see _assign

    return UnfilledConnector()


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
    safe_extract = import_lean("nemo.utils.tar_utils").safe_extract
    weights = None
    compressed = isinstance(archive.fileobj, gzip.GzipFile)
    for member in archive:
        if posixpath.normpath(member.name) == WEIGHTS and not compressed and member.isreg() and not member.issparse():
            file, path = archive.extractfile(member), Path(os.fsdecode(archive.name or ""))
            weights = Weights(file=file, path=path, offset=member.offset_data) if file else None
        else:
            safe_extract(archive, str(folder), [member], skip_unsafe=True)
    return weights


def _configuration(folder: Path) -> dict[str, Any]:
    """Return what the configuration file says: of one with lists of thousands of pieces, in a moment."""
    import yaml  # noqa: PLC0415 - comes with NeMo
    from omegaconf._utils import get_yaml_loader  # noqa: PLC0415 - comes with NeMo

    loader = get_yaml_loader()  # OmegaConf's way to read numbers and paths, but it has no parser in C
    options = {"yaml_constructors": loader.yaml_constructors, "yaml_implicit_resolvers": loader.yaml_implicit_resolvers}
    fast_loader = type("FastLoader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), options)
    with _complete():
        try:
            config = yaml.load((folder / CONFIG).read_bytes(), fast_loader)  # noqa: S506 - it is safe, see above
        except yaml.YAMLError:
            raise ValueError(f"{CONFIG} is no YAML") from None
        config = config.get("model", config) if isinstance(config, dict) else None
        if not isinstance(config, dict):
            raise ValueError(f"{CONFIG} is no configuration")  # noqa: TRY004 - damaged, not a mistake in the code
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
