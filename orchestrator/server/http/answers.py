"""JSON as the server answers it."""

import json
from typing import Any

from starlette.responses import Response


class JsonAnswer(Response):
    """JSON in UTF-8; what cannot be written so, half characters that somebody sent, comes back as question marks."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - Starlette's signature
        """Return the bytes of `content`."""
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
            "utf-8", "replace"
        )
