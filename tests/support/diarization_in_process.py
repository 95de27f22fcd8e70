"""A process of its own that loads the diarization engine, runs it, and prints what it found and imported, as JSON."""

import dataclasses
import json
import sys

from common.settings import load_settings
from handlers.diarization.engine import SpeakerCount
from handlers.diarization.engines import find_engine
from tests.support.pyannote_sample import excerpt


def main(span: list[float], environment: dict[str, str]) -> None:
    """Diarize a part of pyannote's sample."""
    engine = find_engine(load_settings(environment).diarization)()
    loaded = set(sys.modules)
    found = engine.diarize(excerpt(*span), count=SpeakerCount(), tick=lambda *_: None)
    later = {name.partition(".")[0] for name in set(sys.modules) - loaded}
    json.dump({"found": dataclasses.asdict(found), "loaded": sorted(loaded), "later": sorted(later)}, sys.stdout)


if __name__ == "__main__":
    main(*map(json.loads, sys.argv[1:]))
