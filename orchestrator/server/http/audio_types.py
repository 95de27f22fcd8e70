"""What kind of audio a recording is, by its first bytes: never what its sender says, never a type that browsers run."""

OTHER = "application/octet-stream"
MPEG = "audio/mpeg"
BEGINNINGS = (
    (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", MPEG),
    (0, b"\x1a\x45\xdf\xa3", "audio/webm"),
    (0, b"FORM", "audio/aiff"),
    (0, b"caff", "audio/x-caf"),
    (0, b"#!AMR", "audio/amr"),
    (4, b"ftyp", "audio/mp4"),
    (8, b"WAVE", "audio/wav"),
)


def media_type_in(beginning: bytes) -> str:
    """Return the media type of the audio that begins with these bytes, at least 12; else `application/octet-stream`."""
    for offset, mark, media_type in BEGINNINGS:
        if beginning[offset:].startswith(mark):
            return media_type
    if len(beginning) > 1 and beginning[0] == 0xFF:  # a frame's sync word: ADTS has layer 0, MPEG audio has not
        if beginning[1] & 0xF6 == 0xF0:
            return "audio/aac"
        if beginning[1] & 0xE0 == 0xE0:
            return MPEG
    return OTHER
