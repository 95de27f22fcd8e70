"""`parley batch`: many recordings into a folder of results, going on where an earlier run ended."""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.checks import Check
from common.contract import OrchestrationRequest
from common.errors import IdempotencyConflictError, InvalidInputError, ParleyError
from common.progress import OnProgress
from orchestrator.batch import outcomes
from orchestrator.cli_arguments import request_fields
from orchestrator.cli_batch_files import BatchFile, found_recordings, moved, planned
from orchestrator.cli_batch_lock import locked
from orchestrator.cli_batch_output import BatchProgress, print_summary
from orchestrator.cli_batch_state import STATE_NAME, UNKNOWN, BatchState
from orchestrator.cli_client import check_request, command_client
from orchestrator.cli_output import EXIT_FAILED, EXIT_OK, document, write_atomically
from orchestrator.client import AsyncParley
from orchestrator.client_call import fingerprint
from orchestrator.preparation import prepared
from orchestrator.upload import is_remote

EXAMPLE_URL = "https://example.com/recording"
CHANGED = "the recording changed while it was read, so that its result may be wrong; the same command does it again"


@dataclass(slots=True)
class BatchReport:
    """What became of the files of a batch."""

    done: list[BatchFile] = field(default_factory=list)
    skipped: list[BatchFile] = field(default_factory=list)
    failed: list[tuple[BatchFile, ParleyError]] = field(default_factory=list)
    waiting: list[BatchFile] = field(default_factory=list)


class Batch:
    """The files of one batch that are still to be done, and how."""

    def __init__(
        self, state: BatchState, fields: Mapping[str, Any], files: Sequence[BatchFile], *, force: bool = False
    ) -> None:
        self.report = BatchReport(waiting=list(files))
        self._state = state
        self._fields = fields
        self._force = force

    def skip_done(self, check: Check) -> None:
        """Skip the files whose results are there, of the same content and options; reads these recordings."""
        self._state.save()
        if self._force:
            return
        found = [(file, self._is_done(file, check)) for file in self.report.waiting]
        self.report.skipped = [file for file, done in found if done]
        self.report.waiting = [file for file, done in found if not done]

    def _is_done(self, file: BatchFile, check: Check) -> bool:
        check()
        key = self._state.key_of(file.output.name)
        try:
            return bool(key) and key == fingerprint(file.content, self._fields, check=check)
        except InvalidInputError:  # told when it is this recording's turn
            return False

    def remember(self) -> None:
        """Write what is remembered into one file again; if that fails, the journal has it."""
        with contextlib.suppress(OSError):
            self._state.save()

    async def run(self, client: AsyncParley, progress: BatchProgress, *, concurrency: int) -> None:
        """Transcribe what is left; the report tells how it went, also when this is cancelled."""

        async def one(file: BatchFile) -> dict[str, Any]:
            with progress.shown(file.audio) as tell:
                written, answer = await self._finished(client, file, tell)
            progress.done(written, answer)
            return answer

        async with contextlib.aclosing(outcomes(tuple(self.report.waiting), one, concurrency=concurrency)) as found:
            async for outcome in found:
                if outcome.error is not None:
                    self._end(outcome.audio, self.report.failed, (outcome.audio, outcome.error))
                    progress.failed(outcome.audio, outcome.error)

    async def _finished(
        self, client: AsyncParley, file: BatchFile, tell: OnProgress
    ) -> tuple[BatchFile, dict[str, Any]]:
        """Return the file with the output it has got at last, and the answer; an empty one for a copy's."""
        before = _version(file)
        key = await prepared(lambda check: fingerprint(file.content, self._fields, check=check))
        earlier = None if self._force else self._state.made_with(key)
        if earlier is not None:  # of a copy of this recording
            written = self._written(file, key, earlier.read_text(encoding="utf-8"))
            self._end(file, self.report.skipped, written)
            return written, {}
        answer = await self._transcribed(client, file, key, tell)
        text = document(answer, self._fields["response_format"])
        if _version(file) not in {before, None}:
            self._written(file, UNKNOWN, text)
            raise InvalidInputError(CHANGED, param="audio")
        written = self._written(file, key, text)
        self._end(file, self.report.done, written)
        return written, answer

    async def _transcribed(self, client: AsyncParley, file: BatchFile, key: str, tell: OnProgress) -> dict[str, Any]:
        if not self._force:
            with contextlib.suppress(IdempotencyConflictError):  # a recording uploaded anew has another URL
                keyed = {**self._fields, "idempotency_key": f"batch-{key}"}
                return await client.transcribe(file.audio, on_progress=tell, **keyed)
        return await client.transcribe(file.audio, on_progress=tell, **self._fields)

    def _written(self, file: BatchFile, key: str, text: str) -> BatchFile:
        """Write the result and remember it, without a moment between in which this could be cancelled."""
        try:
            while True:
                try:
                    ours = self._state.key_of(file.output.name) is not None
                    write_atomically(file.output, text, replace=ours)
                except FileExistsError:
                    file = moved(file, self._state)
                else:
                    self._state.note(file.output.name, key)
                    return file
        except OSError as error:
            raise InvalidInputError(f"cannot write {file.output}: {error.strerror}", param="output-dir") from None

    def _end(self, file: BatchFile, where: list[Any], end: object) -> None:
        self.report.waiting.remove(file)
        where.append(end)


def _version(file: BatchFile) -> tuple[int, ...] | None:
    """Return what changes when a recording does; None for one that is not here."""
    if is_remote(file.audio):
        return None
    try:
        found = Path(file.audio).stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


async def run_batch(arguments: argparse.Namespace) -> int:
    """Run the command; returns 0 when all is done, else 1. Raises InvalidInputError for wrong usage."""
    with contextlib.ExitStack() as held:
        batch = await prepared(lambda check: _prepared(arguments, held, check))
        held.callback(batch.remember)
        try:
            await _run(batch, arguments)
        except asyncio.CancelledError:
            print_summary(batch.report, interrupted=True)
            raise
        print_summary(batch.report)
        return EXIT_FAILED if batch.report.failed or batch.report.waiting else EXIT_OK


async def _run(batch: Batch, arguments: argparse.Namespace) -> None:
    if batch.report.waiting:
        async with command_client(local=arguments.local) as client:
            skipped, total = len(batch.report.skipped), len(batch.report.skipped) + len(batch.report.waiting)
            with BatchProgress(total=total, before=skipped) as progress:
                await batch.run(client, progress, concurrency=arguments.concurrency)


def _prepared(arguments: argparse.Namespace, held: contextlib.ExitStack, check: Check) -> Batch:
    """Return the batch, with its folder locked until `held` is closed."""
    fields = {"response_format": arguments.format, **request_fields(arguments)}
    check_request(OrchestrationRequest, arguments, EXAMPLE_URL, fields)
    audios = found_recordings(arguments.audios)
    folder: Path = arguments.output_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check()
        held.enter_context(locked(folder))
        state = BatchState(folder)
        if state.damaged:
            sys.stderr.write(f"{STATE_NAME} is damaged: all is done again, into files of other names\n")
        batch = Batch(
            state, fields, planned(audios, state, folder, response_format=arguments.format), force=arguments.force
        )
        batch.skip_done(check)
    except OSError as error:
        raise InvalidInputError(f"cannot write to {folder}: {error.strerror}", param="output-dir") from None
    return batch
