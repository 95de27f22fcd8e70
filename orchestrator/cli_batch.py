"""`parley batch`: many recordings into a folder of results, going on where an earlier run ended."""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.contract import OrchestrationRequest
from common.errors import IdempotencyConflictError, InvalidInputError, ParleyError
from common.progress import OnProgress
from orchestrator.batch import outcomes
from orchestrator.cli_arguments import request_fields
from orchestrator.cli_batch_files import BatchFile, found_recordings, planned
from orchestrator.cli_batch_output import BatchProgress, print_summary
from orchestrator.cli_batch_state import STATE_NAME, BatchState
from orchestrator.cli_client import check_request, command_client
from orchestrator.cli_output import EXIT_FAILED, EXIT_OK, document, write_atomically
from orchestrator.client import AsyncParley
from orchestrator.client_call import fingerprint

EXAMPLE_URL = "https://example.com/recording"


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

    def skip_done(self) -> None:
        """Skip the files whose results are there, of the same content and options; reads these recordings."""
        self._state.save()
        for file in () if self._force else tuple(self.report.waiting):
            key = self._state.key_of(file.output.name)
            with contextlib.suppress(ParleyError):  # told when it is this recording's turn
                if key is not None and key == fingerprint(file.audio, self._fields):
                    self._end(file, self.report.skipped)

    async def run(self, client: AsyncParley, progress: BatchProgress, *, concurrency: int) -> None:
        """Transcribe what is left; the report tells how it went, also when this is cancelled."""

        async def one(file: BatchFile) -> dict[str, Any]:
            with progress.shown(file.audio) as tell:
                return await self._finished(client, file, tell)

        async with contextlib.aclosing(outcomes(tuple(self.report.waiting), one, concurrency=concurrency)) as found:
            async for outcome in found:
                if outcome.error is not None:
                    self._end(outcome.audio, self.report.failed, outcome.error)
                    progress.failed(outcome.audio, outcome.error)
                elif outcome.result is not None:
                    progress.done(outcome.audio, outcome.result)

    async def _finished(self, client: AsyncParley, file: BatchFile, tell: OnProgress) -> dict[str, Any]:
        key = await asyncio.to_thread(fingerprint, file.audio, self._fields)
        earlier = None if self._force else self._state.made_with(key)
        if earlier is not None:  # of a copy of this recording
            self._write(file, key, earlier.read_text(encoding="utf-8"))
            self._end(file, self.report.skipped)
            return {}
        answer = await self._transcribed(client, file, key, tell)
        self._write(file, key, document(answer, self._fields["response_format"]))
        self._end(file, self.report.done)
        return answer

    async def _transcribed(self, client: AsyncParley, file: BatchFile, key: str, tell: OnProgress) -> dict[str, Any]:
        if not self._force:
            with contextlib.suppress(IdempotencyConflictError):  # a recording uploaded anew has another URL
                keyed = {**self._fields, "idempotency_key": f"batch-{key}"}
                return await client.transcribe(file.audio, on_progress=tell, **keyed)
        return await client.transcribe(file.audio, on_progress=tell, **self._fields)

    def _write(self, file: BatchFile, key: str, text: str) -> None:
        """Write the result and remember it, without a moment between in which this could be cancelled."""
        try:
            write_atomically(file.output, text)
            self._state.note(file.output.name, key)
        except OSError as error:
            raise InvalidInputError(f"cannot write {file.output}: {error.strerror}", param="output-dir") from None

    def _end(self, file: BatchFile, where: list[Any], error: ParleyError | None = None) -> None:
        self.report.waiting.remove(file)
        where.append(file if error is None else (file, error))


async def run_batch(arguments: argparse.Namespace) -> int:
    """Run the command; returns 0 when all is done, else 1. Raises InvalidInputError for wrong usage."""
    batch = await asyncio.to_thread(_prepared, arguments)
    try:
        if batch.report.waiting:
            async with command_client(local=arguments.local) as client:
                skipped, total = len(batch.report.skipped), len(batch.report.skipped) + len(batch.report.waiting)
                with BatchProgress(total=total, before=skipped) as progress:
                    await batch.run(client, progress, concurrency=arguments.concurrency)
    except asyncio.CancelledError:
        print_summary(batch.report, interrupted=True)
        raise
    print_summary(batch.report)
    return EXIT_FAILED if batch.report.failed or batch.report.waiting else EXIT_OK


def _prepared(arguments: argparse.Namespace) -> Batch:
    fields = {"response_format": arguments.format, **request_fields(arguments)}
    check_request(OrchestrationRequest, arguments, EXAMPLE_URL, fields)
    audios = found_recordings(arguments.audios)
    folder: Path = arguments.output_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        state = BatchState(folder)
        if state.damaged:
            sys.stderr.write(f"{STATE_NAME} is damaged: all is done again, into files of other names\n")
        files = planned(audios, state, folder, response_format=arguments.format)
        batch = Batch(state, fields, files, force=arguments.force)
        batch.skip_done()
    except OSError as error:
        raise InvalidInputError(f"cannot write to {folder}: {error.strerror}", param="output-dir") from None
    return batch
