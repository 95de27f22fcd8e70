"""Audio sent inside the request: a data URI (RFC 2397) or bare base64."""

import binascii
from urllib.parse import unquote_to_bytes

from common.audio.limits import AudioLimits
from common.errors import InvalidInputError

URL_SAFE_TO_STANDARD = str.maketrans("-_", "+/")


def inline_bytes(source: str, *, limits: AudioLimits) -> bytes:
    """Return the bytes of a data URI or of base64 text (standard or URL-safe, line breaks and padding optional).

    Raises InputTooLargeError before anything is decoded, InvalidInputError for text that is neither.
    """
    if source[:5].lower() == "data:":
        return _data_uri_bytes(source, limits)
    return _base64_bytes(source, limits)


def _data_uri_bytes(source: str, limits: AudioLimits) -> bytes:
    header, comma, payload = source.partition(",")
    if not comma:
        raise InvalidInputError("the data URI has no comma before its data", param="audio")
    if header.lower().endswith(";base64"):
        return _base64_bytes(unquote_to_bytes(payload).decode("latin-1") if "%" in payload else payload, limits)
    limits.check_bytes(len(payload) - 2 * payload.count("%"))
    return unquote_to_bytes(payload)


def _base64_bytes(text: str, limits: AudioLimits) -> bytes:
    joined = "".join(text.split()).translate(URL_SAFE_TO_STANDARD).rstrip("=")
    limits.check_bytes(len(joined) * 3 // 4)
    try:
        return binascii.a2b_base64(joined + "=" * (-len(joined) % 4), strict_mode=True)
    except ValueError:
        raise InvalidInputError(
            "audio must be an http(s) URL, a data URI or base64; this text is none of them", param="audio"
        ) from None
