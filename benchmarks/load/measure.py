"""One load in one process: time, memory, and a hash of what the network computes."""

import hashlib
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from common.audio.limits import SAMPLE_RATE
from handlers.device import let_others_compute

PLAIN, MAPPED = "plain", "mapped"
_STATUS = Path("/proc/self/status")
_POLL_S = 0.01


@dataclass(frozen=True, kw_only=True)
class Load:
    """One load; bytes are those above what the process had after its imports."""

    load_s: float
    first_inference_s: float
    second_inference_s: float
    peak_bytes: int
    private_bytes: int
    written_bytes: int
    sha256: str

    @property
    def total_s(self) -> float:
        """From imports done to first inference done."""
        return self.load_s + self.first_inference_s


def has_cuda() -> bool:
    """Tell whether torch can use an NVIDIA GPU here."""
    import torch  # noqa: PLC0415 - takes seconds

    return bool(torch.cuda.is_available())


def measure(checkpoint: Path, way: str, device: str) -> Load:
    """Load the checkpoint as NeMo does (PLAIN) or as Parley does (MAPPED), and infer from one second of noise.

    That reads every weight but the embeddings of tokens that do not occur, so that what a mapping puts off is paid for.
    `peak_bytes` is the rise of `ru_maxrss`, pages of a mapped file included; `private_bytes` that of anonymous memory,
    which cannot be dropped and read again; polled, and 0 where there is no /proc; `written_bytes` went to files.
    """
    let_others_compute()
    from handlers.nemo.quiet_import import import_nemo, quiet  # noqa: PLC0415 - after let_others_compute

    with quiet():
        import_nemo()
        process = psutil.Process()
        resident_bytes, written_bytes = process.memory_info().rss, _written_bytes(process)
        with _private_peak() as private:
            times = [time.perf_counter()]
            network = _load(checkpoint, way, device)
            times.append(time.perf_counter())
            for _ in range(2):
                outputs = _infer(network, device)
                times.append(time.perf_counter())
    load_s, first_s, second_s = np.diff(times).tolist()
    return Load(
        load_s=load_s,
        first_inference_s=first_s,
        second_inference_s=second_s,
        peak_bytes=_max_resident_bytes() - resident_bytes,
        private_bytes=private[0],
        written_bytes=_written_bytes(process) - written_bytes,
        sha256=hashlib.sha256(b"".join(output.cpu().numpy().tobytes() for output in outputs)).hexdigest(),
    )


def _load(checkpoint: Path, way: str, device: str) -> Any:  # noqa: ANN401 - NeMo has no types
    from handlers.nemo.checkpoint import restore  # noqa: PLC0415 - after let_others_compute
    from handlers.nemo.quiet_import import import_nemo  # noqa: PLC0415 - see above

    if way == PLAIN:
        return import_nemo().restore_from(str(checkpoint), map_location=device).eval()
    return restore(checkpoint, device=device, variable="MODEL_ID").eval()


def _infer(network: Any, device: str) -> tuple[Any, Any]:  # noqa: ANN401 - NeMo has no types
    """Return the encoder's output and the joint's logits for the first decoder state."""
    import torch  # noqa: PLC0415 - after let_others_compute

    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((1, SAMPLE_RATE), np.float32)).to(device)
    with torch.inference_mode():
        encoded, _ = network(input_signal=noise, input_signal_length=torch.tensor([SAMPLE_RATE], device=device))
        predicted, _ = network.decoder.predict(None, add_sos=False, batch_size=1)
        logits = network.joint.joint(encoded.transpose(1, 2), predicted)
        if device == "cuda":
            torch.cuda.synchronize()
    return encoded, logits


@contextmanager
def _private_peak() -> Iterator[list[int]]:
    """Poll this process's anonymous memory; yields a list whose one item is how far it has risen, in bytes."""
    before, rise, done = _anonymous_bytes(), [0], threading.Event()

    def poll() -> None:
        while not done.wait(_POLL_S):
            rise[0] = max(rise[0], _anonymous_bytes() - before)

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield rise
    finally:
        done.set()
        thread.join()


def _anonymous_bytes() -> int:
    if not _STATUS.exists():
        return 0
    return next(int(line.split()[1]) * 1024 for line in _STATUS.read_text().splitlines() if line.startswith("RssAnon"))


def _written_bytes(process: psutil.Process) -> int:
    return process.io_counters().write_chars if hasattr(process, "io_counters") else 0  # not on macOS


def _max_resident_bytes() -> int:
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes
