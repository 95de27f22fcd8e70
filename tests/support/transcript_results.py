"""Results of the server as the page gets them: a conversation, and a recording of hours."""

from collections.abc import Iterable
from typing import Any

TALK = (
    ("SPEAKER_00", "Thanks for coming in today, Ines."),
    ("SPEAKER_00", "Before we start, could you tell us how you came to work on rivers?"),
    ("SPEAKER_01", "Of course, and thank you for having me."),
    ("SPEAKER_01", "I grew up beside one, so it never felt like a choice."),
    (
        "SPEAKER_01",
        (
            "My grandfather kept a notebook of the water level, every morning for forty years, and when he died I "
            "found that nobody else had anything like it for that stretch of the valley."
        ),
    ),
    ("SPEAKER_00", "Forty years, every single morning?"),
    ("SPEAKER_01", "Every morning."),
    ("SPEAKER_01", "Even on the day of his wedding, my grandmother never let him forget that one."),
    ("SPEAKER_00", "And what did you do with the notebooks?"),
    ("SPEAKER_01", "I typed them up, all fourteen thousand lines."),
    ("SPEAKER_01", "It took me a winter."),
    (
        "SPEAKER_01",
        (
            "Then I laid them beside the rain records from Braga and you could see, quite plainly, that the floods "
            "came about six hours earlier after the forest on the north side was cut."
        ),
    ),
    ("SPEAKER_00", "Six hours is a lot when people need to move their animals."),
    ("SPEAKER_01", "It is everything."),
    ("SPEAKER_01", "We had a warning that was right on average and useless on the day."),
    ("SPEAKER_00", "So you took that to the agency."),
    ("SPEAKER_01", "I took it to three agencies, two of them sent me back to the first."),
    ("SPEAKER_00", "That sounds familiar."),
    ("SPEAKER_01", "Someone there finally asked a good question, though: how do you know the notebook is right?"),
    ("SPEAKER_00", "How did you?"),
    ("SPEAKER_01", "There was a mark on the church wall from the flood of seventy-eight, with a date."),
    ("SPEAKER_01", "His line for that morning was four centimetres off."),
    ("SPEAKER_00", "Four centimetres, by lantern light."),
    ("SPEAKER_01", "By lantern light, in the rain, with a folding ruler."),
)
FILLER = [
    "so",
    "the",
    "river",
    "rose",
    "again",
    "that",
    "spring",
    "and",
    "everybody",
    "moved",
    "up",
    "the",
    "hill",
    "with",
    "what",
    "they",
    "could",
    "carry",
    "while",
    "the",
    "bridge",
    "held",
    "longer",
    "than",
    "anyone",
    "had",
    "thought",
    "it",
    "would",
    "because",
    "the",
    "old",
    "stones",
    "sat",
    "deep",
    "in",
    "the",
    "clay",
    "below",
]


def spoken(lines: Iterable[tuple[str | None, str]], *, word_s: float = 0.32, pause_s: float = 0.4) -> dict[str, Any]:
    """Return the result of a recording in which the lines are said one after the other, evenly."""
    segments, time = [], 0.5
    for speaker, text in lines:
        words = []
        for word in text.split():
            words.append(
                {"word": word, "start": round(time, 3), "end": round(time + word_s * 0.9, 3), "speaker": speaker}
            )
            time += word_s
        end = words[-1]["end"]
        segment = {"id": len(segments), "start": words[0]["start"], "end": end, "text": text, "speaker": speaker}
        segments.append({**segment, "words": words})
        time += pause_s
    return _result(segments, duration=round(time, 3))


def conversation() -> dict[str, Any]:
    """Return an interview of two people in which one falls in with the other's words now and then."""
    result = spoken(TALK)
    overlaps = [
        {"start": segment["end"] - 1.2, "end": segment["end"], "speaker": "SPEAKER_00"}
        for segment in result["segments"]
        if segment["speaker"] == "SPEAKER_01" and segment["end"] - segment["start"] > 4
    ]
    return {**result, "speaker_turns": sorted([*result["speaker_turns"], *overlaps], key=lambda turn: turn["start"])}


def long_talk(*, segments: int = 4_000, words_each: int = 9, speakers: int = 4) -> dict[str, Any]:
    """Return a recording of three hours: 36,000 words in 4,000 segments of unequal length."""
    lines = []
    for index in range(segments):
        count = words_each + (-4, 3, 0, 6, -5)[index % 5]
        first = (index * 7) % len(FILLER)
        words = [*FILLER[first:], *FILLER][:count]
        lines.append((f"SPEAKER_{index // 3 % speakers:02d}", f"{' '.join(words)}."))
    return spoken(lines, word_s=0.28, pause_s=0.2)


def peaks_of(result: dict[str, Any], *, per_second: int = 20) -> dict[str, Any]:
    """Return peaks that rise and fall where words are."""
    peaks = [6] * int(result["duration"] * per_second)
    for segment in result["segments"]:
        for word in segment["words"]:
            for index in range(int(word["start"] * per_second), int(word["end"] * per_second)):
                peaks[index] = 90 + (index * 37 + len(word["word"]) * 29) % 150
    return {"duration": result["duration"], "per_second": per_second, "peaks": peaks}


def _result(segments: list[dict[str, Any]], *, duration: float) -> dict[str, Any]:
    turns = [{key: segment[key] for key in ("start", "end", "speaker")} for segment in segments]
    return {
        "segments": segments,
        "words": [word for segment in segments for word in segment["words"]],
        "speakers": sorted({turn["speaker"] for turn in turns if turn["speaker"] is not None}),
        "speaker_turns": [turn for turn in turns if turn["speaker"] is not None],
        "duration": duration,
        "language": "en",
        "full_text": " ".join(segment["text"] for segment in segments),
    }
