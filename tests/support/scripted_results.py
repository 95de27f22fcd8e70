"""What a web server tells of jobs, made up: status objects and a result."""

TURNS = [(0.5, 3.0, "SPEAKER_00"), (3.2, 6.0, "SPEAKER_01")]
WORDS = [[("Hello", 0.5, 1.0), ("there", 1.0, 1.5)], [("Good", 3.2, 3.6), ("morning", 3.6, 4.2)]]


def status(job_id, **fields):
    """Return the status object of a job: one that runs, unless `fields` say else."""
    return {
        "job_id": job_id,
        "kind": "transcription",
        "status": "running",
        "progress": 0,
        "step": "preprocessing",
        "position": None,
        "eta_s": None,
        "error": None,
        "filename": f"{job_id}.wav",
        "created_at": "2026-11-22T10:00:00Z",
        "started_at": None,
        "finished_at": None,
        "duration": 30.0,
        "cached": False,
        "edits_version": 0,
        "has_audio": False,
        **fields,
    }


def result(job_id):
    """Return a result of two speakers who say two words each."""
    turns = [{"start": start, "end": end, "speaker": speaker} for start, end, speaker in TURNS]
    segments = [_segment(index, turn, WORDS[index]) for index, turn in enumerate(turns)]
    return {
        "success": True,
        "job_id": job_id,
        "language": "en",
        "duration": 30.0,
        "text": "Hello there Good morning",
        "segments": segments,
        "words": [word for segment in segments for word in segment["words"]],
        "speakers": ["SPEAKER_00", "SPEAKER_01"],
        "num_speakers": 2,
        "speaker_turns": turns,
        "diarization_segments": turns,
    }


def _segment(index, turn, words):
    told = [{"word": word, "start": start, "end": end, "speaker": turn["speaker"]} for word, start, end in words]
    return {"id": index, **turn, "text": " ".join(word for word, *_ in words), "words": told}
