"""Answers as OpenAI's clients read them: transcripts, the events of a stream, errors with OpenAI's `type`."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from common.errors import DeadlineExceededError, ParleyError
from common.formats import RenderOptions, render
from common.timeline import UNDETERMINED
from orchestrator.server.documents import rendered
from orchestrator.server.http.answers import JsonAnswer
from orchestrator.server.http.errors import error_answer
from orchestrator.server.http.openai_request import Asked
from orchestrator.server.stored_transcripts import transcript_of

TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
NO_RETRY = {"x-should-retry": "false"}  # OpenAI's clients send a request thrice, unless they are told
VERBOSE = ("task", "language", "duration", "text", "num_speakers", "speakers")


class OpenAiRoute(APIRoute):
    """A route whose errors OpenAI's clients understand."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return the handler, which answers ParleyError itself."""
        handle = super().get_route_handler()

        async def handle_typed(request: Request) -> Response:
            try:
                answer: Response = await handle(request)
            except ParleyError as error:
                return typed(error_answer(error), retry=not isinstance(error, DeadlineExceededError))
            return answer

        return handle_typed


def typed(answer: Response, *, retry: bool = True) -> Response:
    """Return an error's answer with OpenAI's `type`, and whether the client should send the request again by itself."""
    body = json.loads(bytes(answer.body))
    status = answer.status_code
    body["error"]["type"] = TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    told = {} if retry and body["error"]["retryable"] else NO_RETRY
    kept = {name: value for name, value in answer.headers.items() if name in {"retry-after", "www-authenticate"}}
    return JsonAnswer(body, status_code=status, headers={**kept, **told})


def transcription_answer(result: Mapping[str, Any], asked: Asked) -> Response:
    """Return a stored result in the format that was asked for; blocks."""
    headers = {"X-Parley-Without-Effect": ", ".join(asked.without_effect)} if asked.without_effect else {}
    if asked.response_format in {"srt", "vtt"}:
        file = rendered(result, asked.response_format)
        return Response(file.content, media_type=file.media_type, headers=headers)
    if asked.response_format == "text":
        return Response(str(result["text"]), media_type="text/plain", headers=headers)
    usage = {"type": "duration", "seconds": result["duration"]}
    return JsonAnswer({**_document(result, asked), "usage": usage}, headers=headers)


def stream_events(result: Mapping[str, Any], asked: Asked, *, sent: str = "") -> Iterator[dict[str, Any]]:
    """Yield the events of a stream that are left when the result is there and `sent` was sent of its text.

    Segments with their speakers come where `diarized_json` is asked for. Where the text begins otherwise than what
    was sent, there is no more of it but the whole in the last event.
    """
    text = str(result["text"])
    if asked.response_format == "diarized_json":
        yield from _segment_events(result)
    elif text.startswith(sent):
        yield from text_deltas(result["segments"], sent=sent)
    yield {"type": "transcript.text.done", "text": text, "languages": _languages(result)}


def text_deltas(segments: Iterable[Mapping[str, Any]], *, sent: str) -> Iterator[dict[str, Any]]:
    """Yield what the text of segments has more than `sent`, which it begins with, segment by segment."""
    text = ""
    for segment in segments:
        pieces = [(" " if word.get("space_before", True) else "") + word["word"] for word in segment.get("words") or ()]
        text += "".join(pieces) if text else "".join(pieces).lstrip()
        if len(text) > len(sent) and text.startswith(sent):
            yield {"type": "transcript.text.delta", "delta": text[len(sent) :]}
            sent = text


def _segment_events(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    segments = render(transcript_of(result), "diarized_json", RenderOptions())["segments"]
    for index, segment in enumerate(segments):
        delta = f" {segment['text']}" if index else segment["text"]
        yield {"type": "transcript.text.delta", "delta": delta, "segment_id": segment["id"]}
        yield segment


def _document(result: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    if asked.response_format == "json":
        return {"text": result["text"], "languages": _languages(result)}
    if asked.response_format == "diarized_json":
        return render(transcript_of(result), "diarized_json", RenderOptions())
    document = {key: result[key] for key in VERBOSE if key in result}
    if "segment" in asked.granularities:
        document["segments"] = [
            {key: value for key, value in segment.items() if key != "words"} for segment in result["segments"]
        ]
    return {**document, "words": result["words"]} if "word" in asked.granularities else document


def _languages(result: Mapping[str, Any]) -> list[dict[str, str]]:
    return [] if result["language"] == UNDETERMINED else [{"code": result["language"]}]
