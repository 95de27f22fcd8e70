"""Long-form transcription against whole-file decoding: word errors, what is lost or doubled at seams, speed."""
