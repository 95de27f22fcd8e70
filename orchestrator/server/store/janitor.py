"""Removing what nobody needs: files of erased jobs, jobs too old to keep, files that a killed process left."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

from common.logs import log_event
from orchestrator.server.store.erasing import delete_unnamed, drop_audio, forget
from orchestrator.server.store.files import KINDS, FileStore
from orchestrator.server.store.job_store import JobStore

logger = logging.getLogger(__name__)

ORPHAN_S = 3600.0  # nobody is still about to name a file of that age
ORPHANS_EVERY_S = 3600.0  # the whole storage is listed for them
AT_A_TIME = 500


class Janitor:
    """Sweeps one store and its files; several may, at the same time, and any may die while it does.

    Jobs are erased `retention_s` after their end; with `keep_audio` False recordings are as soon as no job that has
    not ended needs them.
    """

    def __init__(
        self,
        store: JobStore,
        files: FileStore,
        *,
        retention_s: float,
        keep_audio: bool = True,
        orphan_s: float = ORPHAN_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._files = files
        self._retention_s = retention_s
        self._keep_audio = keep_audio
        self._orphan_s = orphan_s
        self._monotonic = monotonic
        self._orphans_due_at = monotonic()

    def sweep(self) -> None:
        """Do one round; what the storage refuses is tried again in the next."""
        gone = self._store.expired(self._retention_s)
        erased = sum(forget(self._store, self._files, job) for job in self._store.to_erase())
        if not self._keep_audio:
            for job in self._store.with_audio():
                drop_audio(self._store, self._files, job.id)
        orphans = self._sweep_orphans() if self._monotonic() >= self._orphans_due_at else 0
        if gone or erased or orphans:
            log_event(logger, "swept", expired=len(gone), erased=erased, orphans=orphans)

    def _sweep_orphans(self) -> int:
        orphans = 0
        for kind in KINDS:
            old = self._files.names(kind, self._orphan_s)
            while names := set(islice(old, AT_A_TIME)):
                orphans += delete_unnamed(self._store, self._files, names, by="any")
        _sweep_incoming(self._files, self._orphan_s)
        self._orphans_due_at = self._monotonic() + ORPHANS_EVERY_S
        return orphans


def _sweep_incoming(files: FileStore, older_than_s: float) -> None:
    before = time.time() - older_than_s
    for path in files.incoming.iterdir():
        with suppress(OSError):
            if path.stat().st_mtime <= before:
                path.unlink()
