"""What single values of a request may be: times, numbers of speakers, names, languages."""

import re
import unicodedata
from collections.abc import Collection
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from common.errors import InvalidInputError
from common.timeline import LATEST_S

MAX_SPEAKERS = 100
MAX_NAME_CHARS = 100
LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z]{2,4})?$"
REQUEST_ID = r"^[A-Za-z0-9._:-]{1,100}$"
IDEMPOTENCY_KEY = r"^(?:[!-~]*[!-\-/-~][!-~]*|\.{3,})$"  # what a header can carry, and a path: not . and not ..
LABEL = re.compile(r"SPEAKER_\d+", re.IGNORECASE)  # what diarization calls those whom nobody knows
INVISIBLE = ("Cc", "Cf", "Cs")  # Unicode's categories of controls, of marks that are not seen, and of half characters
JOINERS = "\u200c\u200d"  # are not seen either, but are spelling inside a name of many scripts


def shown_name(name: str) -> str:
    """Return a name as a reader sees it: no invisible characters, one space between its parts, none around it.

    Raises ValueError for one without or with too many characters, and for the label of an unnamed speaker.
    """
    seen = "".join(char for char in name if char.isspace() or char in JOINERS or not _invisible(char))
    name = " ".join(seen.split()).strip(JOINERS)
    if not 1 <= len(name) <= MAX_NAME_CHARS:
        raise ValueError(f"a name has at least 1 character, at most {MAX_NAME_CHARS}, that can be seen")
    if LABEL.fullmatch(unicodedata.normalize("NFKC", re.sub(f"[{JOINERS}]", "", name))):
        raise ValueError(f"{name} is the label of a speaker whom nobody knows; give the person's own name")
    return name


def check_order(start: float, end: float) -> None:
    """Raise ValueError for a stretch that ends before it begins."""
    if end < start:
        raise ValueError(f"end {end} lies before start {start}")


def check_speakers(labels: Collection[str], *, param: str) -> None:
    """Raise InvalidInputError, naming `param`, for more speakers than words can be merged with."""
    if len(labels) > MAX_SPEAKERS:
        raise InvalidInputError(
            f"{len(labels)} speakers are too many to be merged with words, at most {MAX_SPEAKERS} can be; "
            "have them found with max_speakers",
            param=param,
        )


def _invisible(char: str) -> bool:
    return unicodedata.category(char) in INVISIBLE


Seconds = Annotated[float, Field(ge=0, le=LATEST_S, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
SpeakerBound = Annotated[int, Field(ge=1, le=MAX_SPEAKERS)]
SpeakerLabel = Annotated[str, Field(min_length=1, max_length=200)]
SpeakerName = Annotated[str, Field(max_length=1000), AfterValidator(shown_name)]
Hotword = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
