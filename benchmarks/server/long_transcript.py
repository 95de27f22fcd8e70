"""A transcript of three hours, in a web server's database as if a job had found it."""

import hashlib
import json
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from common.answer import Heard, orchestrated_answer
from common.contract import OrchestrationRequest, parse_request
from common.settings import load_settings
from common.timeline import Word
from orchestrator.server.documents import result_document
from orchestrator.server.jobs import LOCAL_OWNER, NewJob
from orchestrator.server.settings import load_server_settings
from orchestrator.server.store.database import migrate, open_database
from orchestrator.server.store.files import FileStore, open_files
from orchestrator.server.store.job_store import JobStore
from orchestrator.server.work import new_name

DURATION_S, WORDS = 3 * 3600, 36_000
TURN_WORDS, SPEAKERS = 24, 4
WORD_S = DURATION_S / WORDS
RATE_HZ, PEAKS_PER_SECOND = 8_000, 5
JOB_ID, RUNNER = "3" * 32, "benchmark"
SENTENCE = "The harbour was closed for two winters, because nobody agreed who had to pay for the ice breaker."


def stored(data_folder: Path) -> str:
    """Put transcript, recording and peaks where a server that is to start finds them; returns the job's id."""
    settings = load_server_settings({"DATA_FOLDER": str(data_folder)})
    engine = open_database(settings.database_url)
    migrate(engine)
    store = JobStore(engine, lease_s=600.0, max_queued=1, max_queued_per_owner=1, max_attempts=1)
    files = open_files(settings.storage_url, load_settings({}).storage)
    store.add(_new_job(files))
    job = store.claim(RUNNER)
    if job is None:
        raise RuntimeError("the database has jobs already")
    peaks, result = (new_name(kind, JOB_ID, suffix=".json") for kind in ("peaks", "results"))
    files.put_bytes(json.dumps(silent_peaks()).encode(), peaks)
    files.put_bytes(json.dumps(result_document(job, answer())).encode(), result)
    store.hold(JOB_ID, runner=RUNNER, peaks=peaks)
    store.complete(JOB_ID, runner=RUNNER, result=result, duration_s=DURATION_S)
    engine.dispose()
    return JOB_ID


def answer() -> dict[str, Any]:
    """Return what the pipeline answers to three hours of speech: WORDS words, a turn every TURN_WORDS of them."""
    request = parse_request(OrchestrationRequest, {"audio": "x", "response_format": "verbose_json", "timestamps": True})
    report = {"model": "none", "device": "cpu", "warnings": []}
    turns = list(spoken())
    diarization = {**report, "segments": turns, "exclusive_segments": turns}
    heard = Heard(words=tuple(words()), language="en", duration_s=float(DURATION_S))
    merged = orchestrated_answer(request, heard=heard, transcription=report, diarization=diarization)
    return {**merged, "timings": {"total_s": 1.0}}


def words() -> Iterator[Word]:
    """Yield the words, one after the other without a pause but at the ends of sentences."""
    for number, text in enumerate(islice(cycle(SENTENCE.split()), WORDS)):
        yield Word(text, number * WORD_S, (number + 0.9) * WORD_S, 0.9)


def spoken() -> Iterator[dict[str, Any]]:
    """Yield the turns of SPEAKERS speakers."""
    turn_s = TURN_WORDS * WORD_S
    for number in range(WORDS // TURN_WORDS):
        yield {"start": number * turn_s, "end": (number + 1) * turn_s, "speaker": f"SPEAKER_{number % SPEAKERS:02}"}


def silent_peaks() -> dict[str, Any]:
    """Return the peaks of a recording that hums."""
    return {"duration": DURATION_S, "per_second": PEAKS_PER_SECOND, "peaks": [40, 200] * (DURATION_S * 5 // 2)}


def _new_job(files: FileStore) -> NewJob:
    path, name = files.incoming / "three-hours.flac", new_name("audio", JOB_ID)
    soundfile.write(path, np.zeros(DURATION_S * RATE_HZ, np.int16), RATE_HZ)
    content = path.read_bytes()
    files.put(path, name)
    return NewJob(
        id=JOB_ID,
        owner=LOCAL_OWNER,
        kind="transcription",
        filename="three hours.flac",
        fields={},
        request_id=JOB_ID,
        audio=name,
        audio_sha256=hashlib.sha256(content).hexdigest(),
        audio_bytes=len(content),
    )
