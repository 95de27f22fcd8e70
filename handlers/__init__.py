"""The RunPod workers that hold models: diarization, transcription, and both in one."""
