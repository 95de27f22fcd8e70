"""A multipart form as it arrives: its text fields within bounds, its one file piece by piece."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from types import MappingProxyType

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from common.errors import InputTooLargeError, InvalidInputError

MAX_PARTS = 1000
MAX_TEXT_BYTES = 10 * 1024 * 1024  # of all text fields, voices of known speakers among them
FILE = "file"
ENCODED = MappingProxyType({"%22": '"', "%0D": "\r", "%0A": "\n"})  # by browsers (WHATWG HTML, 4.10.21.8), no others
MALFORMED = "the multipart form is malformed or cut off; send it again"


class FormReader:
    """Takes a form's bytes; `fields` are its texts, `filename` is what its file is called."""

    def __init__(self, content_type: str, take: Callable[[bytes], Awaitable[None]]) -> None:
        """Give the bytes of the part `file` to `take`; raises InvalidInputError for a form without a boundary."""
        self.fields: defaultdict[str, list[str]] = defaultdict(list)
        self.filename: str | None = None
        self._take = take
        self._parts = 0
        self._text_bytes = 0
        self._ended = False
        self._header, self._value = bytearray(), bytearray()
        self._name: str | None = None
        self._text = bytearray()
        self._file_pieces: list[bytes] = []
        self._parser = _parser(content_type, self)

    async def write(self, piece: bytes) -> None:
        """Read on; raises InvalidInputError for what is no form, InputTooLargeError for too much text."""
        try:
            self._parser.write(piece)
        except FormParserError:
            raise InvalidInputError(MALFORMED) from None
        pieces, self._file_pieces = self._file_pieces, []
        for found in pieces:
            await self._take(found)

    def end(self) -> None:
        """Raise InvalidInputError if there should have been more."""
        if not self._ended:
            raise InvalidInputError(MALFORMED)

    def on_part_begin(self) -> None:
        """Begin a field or the file."""
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InputTooLargeError(f"the form has more than {MAX_PARTS} fields; put them into `options`")
        self._name, self._text = None, bytearray()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        """Take a piece of a header's name."""
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        """Take a piece of a header's value."""
        self._value += data[start:end]

    def on_header_end(self) -> None:
        """Read a header that is complete."""
        if self._header.lower() == b"content-disposition":
            self._begin(parse_options_header(bytes(self._value))[1])
        self._header, self._value = bytearray(), bytearray()

    def on_headers_finished(self) -> None:
        """Refuse a part without a name."""
        if self._name is None:
            raise InvalidInputError("a part of the multipart form has no name")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Take a piece of a field or of the file."""
        if self._name == FILE:
            self._file_pieces.append(data[start:end])
            return
        self._text_bytes += end - start
        if self._text_bytes > MAX_TEXT_BYTES:
            raise InputTooLargeError(f"the text fields of the form have more than {MAX_TEXT_BYTES} bytes")
        self._text += data[start:end]

    def on_part_end(self) -> None:
        """Keep a field that is complete."""
        if self._name is not None and self._name != FILE:
            self.fields[self._name].append(_text(self._text))

    def on_end(self) -> None:
        """Note that the form is complete."""
        self._ended = True

    def _begin(self, options: dict[bytes, bytes]) -> None:
        self._name = _text(options.get(b"name", b""))
        if self._name == FILE:
            if self.filename is not None:
                raise InvalidInputError("the form has more than one file; send one recording at a time", param=FILE)
            given = _text(options.get(b"filename", b""), errors="replace")
            for encoded, character in ENCODED.items():
                given = given.replace(encoded, character)
            self.filename = given
        elif b"filename" in options:
            raise InvalidInputError(f"send the recording as the form field {FILE!r}, everything else as text")


def _parser(content_type: str, reader: FormReader) -> MultipartParser:
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise InvalidInputError("the multipart form has no boundary; let your HTTP library set the Content-Type")
    try:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": reader.on_part_begin,
                "on_part_data": reader.on_part_data,
                "on_part_end": reader.on_part_end,
                "on_header_field": reader.on_header_field,
                "on_header_value": reader.on_header_value,
                "on_header_end": reader.on_header_end,
                "on_headers_finished": reader.on_headers_finished,
                "on_end": reader.on_end,
            },
        )
    except FormParserError:
        raise InvalidInputError(MALFORMED) from None


def _text(raw: bytes | bytearray, *, errors: str = "strict") -> str:
    try:
        return raw.decode(errors=errors)
    except UnicodeDecodeError:
        raise InvalidInputError("a text field of the form is not UTF-8") from None
