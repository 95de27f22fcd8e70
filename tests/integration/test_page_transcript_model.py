"""The transcript's model in a real browser: operations, alignment of edited text, undo, search, lanes, word times."""

import json

import pytest

from tests.support.browser import chromium, watched_page
from tests.support.page_server import page_server
from tests.support.transcript_results import spoken

MODULES = (
    "document",
    "operations",
    "alignment",
    "history",
    "search",
    "lanes",
    "word_times",
    "waveform_view",
    "offsets",
)
LOAD = f"""async () => {{
  window.model = {{}};
  for (const name of {list(MODULES)}) {{
    Object.assign(window.model, await import(`/static/transcript/${{name}}.js`));
  }}
}}"""
HELPERS = """
const model = window.model;
const lines = (transcript) => transcript.segments.map((s) => [s.speaker, model.joinWords(s.words)]);
const words = (list) => list.map((w) => [w.word, w.start, w.end]);
const range = (a, b, c, d) => ({first: {segment: a, word: b}, last: {segment: c, word: d}});
"""
TALK = spoken([("A", "one two three four."), ("B", "five six."), ("A", "seven eight nine.")], word_s=1.0, pause_s=0.5)


@pytest.fixture(scope="module")
def page():
    with chromium() as browser, page_server() as server, watched_page(browser) as page:
        page.goto(f"{server.url}/")
        page.evaluate(LOAD)
        yield page


def run(page, body, given=None):
    return page.evaluate(f"(given) => {{ {HELPERS} {body} }}", given)


def after(page, operation):
    """Return the lines of TALK after an operation on `t`."""
    return run(page, f"const t = model.openTranscript(given); return lines({operation});", TALK)


def test_a_saved_document_is_opened_as_it_was_saved(page):
    saved = {
        "segments": [
            {"speaker": None, "words": [{"word": "今", "start": 0, "end": 0.5, "confidence": 0.5}]},
            {"speaker": "__proto__", "words": [{"word": "天", "start": 0.5, "end": 1, "space_before": False}]},
        ],
        "speakers": {"__proto__": "<img onerror=alert(1)>", "B": "Bo"},
    }
    body = "return JSON.stringify(model.savedDocument(model.openTranscript(given.talk, JSON.parse(given.saved))))"
    assert json.loads(run(page, body, {"talk": TALK, "saved": json.dumps(saved)})) == saved


def test_a_result_gives_words_speakers_and_names(page):
    talk = {**TALK, "speakers": ["A", "B", "SPEAKER_02"]}
    body = """
    const t = model.openTranscript(given);
    return [lines(t), [...t.names], t.labels.map((label) => model.colourOf(t, label))];
    """
    lines, names, colours = run(page, body, talk)
    assert lines == [["A", "one two three four."], ["B", "five six."], ["A", "seven eight nine."]]
    assert names == [["A", "A"], ["B", "B"], ["SPEAKER_02", "Speaker 3"]]
    assert colours == [0, 1, 2]


def test_segments_without_word_times_get_words_spread_over_them(page):
    result = {
        "segments": [{"start": 2, "end": 4, "text": "ab cd", "speaker": None}, {"start": 4, "end": 5, "text": ""}]
    }
    body = "const t = model.openTranscript(given); return t.segments.map((s) => words(s.words))"
    assert run(page, body, result) == [[["ab", 2, 3], ["cd", 3, 4]]]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("model.assignSegment(t, 1, 'A')", ["A one two three four.", "A five six.", "A seven eight nine."]),
        (
            "model.assignWords(t, range(0, 1, 0, 2), 'B')",
            ["A one", "B two three", "A four.", "B five six.", "A seven eight nine."],
        ),
        # The last word of a segment joins the speaker's segment after it, the first one that before it.
        (
            "model.assignWords(t, range(0, 3, 0, 3), 'B')",
            ["A one two three", "B four. five six.", "A seven eight nine."],
        ),
        (
            "model.assignWords(t, range(2, 0, 2, 0), 'B')",
            ["A one two three four.", "B five six. seven", "A eight nine."],
        ),
        (
            "model.assignWords(t, range(0, 2, 1, 0), 'C')",
            ["A one two", "C three four. five", "B six.", "A seven eight nine."],
        ),
        (
            "model.assignWords(t, range(0, 2, 1, 0), 'A')",
            ["A one two three four. five", "B six.", "A seven eight nine."],
        ),
        ("model.splitSegment(t, 0, 2)", ["A one two", "A three four.", "B five six.", "A seven eight nine."]),
        ("model.joinSegments(t, 0)", ["A one two three four. five six.", "A seven eight nine."]),
        ("model.mergeSpeakers(t, 'B', 'A')", ["A one two three four.", "A five six.", "A seven eight nine."]),
        ("model.editText(t, 1, ' \\n ')", ["A one two three four.", "A seven eight nine."]),
    ],
)
def test_operations(page, operation, expected):
    assert after(page, operation) == [line.split(" ", 1) for line in expected]


@pytest.mark.parametrize(
    "operation",
    [
        "model.assignSegment(t, 0, 'A')",
        "model.splitSegment(t, 0, 0)",
        "model.splitSegment(t, 0, 4)",
        "model.joinSegments(t, 2)",
        "model.mergeSpeakers(t, 'A', 'A')",
        "model.renameSpeaker(t, 'A', ' A ')",
        "model.editText(t, 0, 'one  two three four.')",
    ],
)
def test_operations_that_change_nothing_give_the_same_transcript(page, operation):
    assert run(page, f"const t = model.openTranscript(given); return {operation} === t", TALK)


def test_names(page):
    body = """
    let t = model.openTranscript(given);
    t = model.renameSpeaker(t, 'A', '  Anna   <b>Lee</b> ');
    const added = model.addSpeaker(t, '');
    t = model.assignSegment(added.transcript, 1, null);
    t = model.renameSpeaker(t, null, 'Cy');
    t = model.renameSpeaker(t, 'B', '');
    return [[...t.names], lines(t).map(([speaker]) => speaker), added.label];
    """
    names, speakers, added = run(page, body, TALK)
    assert names == [["A", "Anna <b>Lee</b>"], ["B", "B"], ["SPEAKER_00", "Speaker 1"], ["SPEAKER_01", "Cy"]]
    assert speakers == ["A", "SPEAKER_01", "A"]
    assert added == "SPEAKER_00"


OLD = [["Hello", 0, 1], ["big", 1, 2], ["world.", 2, 3]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, big World!", [["Hello,", 0, 1], ["big", 1, 2], ["World!", 2, 3]]),  # marks and case: no other word
        ("Hello small world.", [["Hello", 0, 1], ["small", 1, 2], ["world.", 2, 3]]),  # one for one
        ("Hello very big world.", [["Hello", 0, 1], ["very", 1, 1], ["big", 1, 2], ["world.", 2, 3]]),  # no room
        ("Hello world.", [["Hello", 0, 1], ["world.", 2, 3]]),
        ("Hello aa bb world.", [["Hello", 0, 1], ["aa", 1, 1.5], ["bb", 1.5, 2], ["world.", 2, 3]]),
        ("Hello big world. Yes", [*OLD, ["Yes", 3, 3.4]]),
        ("Oh Hello big world.", [["Oh", 0, 0], *OLD]),
        ("abc", [["abc", 0, 3]]),
        ("", []),
    ],
)
def test_edited_text_keeps_the_times_of_words_that_stay(page, text, expected):
    body = """
    const old = given.old.map(([word, start, end]) => ({word, start, end}));
    return words(model.alignWords(old, given.text, {notBefore: 0, notAfter: 9}));
    """
    assert run(page, body, {"old": OLD, "text": text}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天天气很好。", [["今天", 0, 1], ["天气", 1, 2], ["很好。", 2, 3]]),
        ("今天风很好。", [["今天", 0, 1], ["风", 1, 2], ["很好。", 2, 3]]),
        ("今天，天气很好。", [["今天，", 0, 1], ["天气", 1, 2], ["很好。", 2, 3]]),
    ],
)
def test_text_without_spaces_is_aligned_by_its_words(page, text, expected):
    body = """
    const old = given.old.map((word, k) => ({word, start: k, end: k + 1, ...(k ? {space_before: false} : {})}));
    const found = model.alignWords(old, given.text);
    return [words(found), model.joinWords(found)];
    """
    assert run(page, body, {"old": ["今天", "天气", "很好。"], "text": text}) == [expected, text]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\u200b \x07", "A"),
        ("\u200d", "A"),  # joiners alone cannot be seen
        ("SPEAKER_04", "Speaker 5"),
        ("x" * 300, "x" * 100),
        ("Zo\u200c\u00eb", "Zo\u200c\u00eb"),
    ],
)
def test_names_are_what_the_server_takes(page, name, shown):
    body = "return model.renameSpeaker(model.openTranscript(given.talk), 'A', given.name).names.get('A')"
    assert run(page, body, {"talk": TALK, "name": name}) == shown


def test_half_characters_are_not_kept(page):
    body = """
    const t = model.editText(model.openTranscript(given), 1, 'x\\ud800y six.');
    return [model.joinWords(t.segments[1].words), model.renameSpeaker(t, 'A', 'Zo\\udc00').names.get('A')];
    """
    assert run(page, body, TALK) == ["x\ufffdy six.", "Zo\ufffd"]


def test_a_document_is_the_same_without_what_goes_without_saying(page):
    body = """
    const sent = model.savedDocument(model.openTranscript(given));
    const kept = {
      segments: sent.segments.map((s) => ({...s, words: s.words.map((w) => ({...w, space_before: true}))})),
      speakers: Object.fromEntries(Object.entries(sent.speakers).reverse()),
    };
    const other = {...kept, segments: kept.segments.slice(1)};
    return [model.sameDocument(sent, kept), model.sameDocument(sent, other), model.sameDocument(sent, null)];
    """
    assert run(page, body, TALK) == [True, False, False]


def test_a_word_without_end_is_cut(page):
    body = (
        "const t = model.editText(model.openTranscript(given), 0, 'y'.repeat(1200)); return t.segments[0].words.length"
    )
    assert run(page, body, TALK) == 3


def test_undo_and_redo(page):
    body = """
    let h = model.openHistory(model.openTranscript(given));
    const first = h.present.transcript;
    h = model.record(h, model.joinSegments(first, 0), 'joined');
    h = model.record(h, model.renameSpeaker(h.present.transcript, 'A', 'Anna'), 'renamed');
    const last = h.present.transcript;
    const same = model.record(h, last, 'nothing') === h;
    h = model.undo(model.undo(model.undo(h)));
    const back = h.present.transcript === first;
    h = model.redo(model.redo(model.redo(h)));
    const again = h.present.transcript === last;
    h = model.record(model.undo(h), first, 'other');
    return [same, back, again, model.redo(h) === h, h.past.map((step) => step.what)];
    """
    assert run(page, body, TALK) == [True, True, True, True, ["", "joined"]]


RANDOM = r"""
let seed = given.seed;
const random = (n) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * n);
};
const all = (transcript) => transcript.segments.flatMap((segment) => segment.words);
const place = () => {
  const segment = random(t.segments.length);
  return {segment, word: random(t.segments[segment].words.length)};
};
const rewritten = ({segment, word}) => {
  const texts = model.joinWords(t.segments[segment].words).split(' ');
  return [...texts.slice(0, word), ['new words here', 'x', ''][random(3)], ...texts.slice(word + random(2))].join(' ');
};
const moves = [
  (at, who) => model.assignWords(t, model.rangeBetween(at, place()), who),
  (at, who) => model.assignSegment(t, at.segment, who),
  (at) => model.splitSegment(t, at.segment, at.word),
  (at) => model.joinSegments(t, at.segment),
  (at, who) => model.renameSpeaker(t, who, `Name ${at.word}`),
  (_, who) => (t.names.size > 2 ? model.mergeSpeakers(t, who, [...t.names.keys()][0]) : model.addSpeaker(t).transcript),
];
const faults = (next) => {
  const found = all(next);
  const saved = JSON.stringify(model.savedDocument(next));
  const again = JSON.stringify(model.savedDocument(model.openTranscript(given.talk, JSON.parse(saved))));
  return [
    found.some((w, k) => w.end < w.start || (k && w.start < found[k - 1].start)) && 'times go back',
    next.segments.some((s) => s.words.length === 0) && 'an empty segment',
    new Set(next.segments.map((s) => s.key)).size !== next.segments.length && 'a key twice',
    next.segments.some((s) => s.speaker !== null && !next.names.has(s.speaker)) && 'a nameless speaker',
    saved !== again && 'saved otherwise',
  ];
};
const wrong = [];
let t = model.openTranscript(given.talk);
for (let step = 0; step < 120; step += 1) {
  const [at, who] = [place(), [...t.names.keys(), null][random(t.names.size + 1)]];
  const text = random(4) === 0 ? rewritten(at).trim() : null;
  const next = text === null ? moves[random(moves.length)](at, who) : model.editText(t, at.segment, text);
  const [before, found] = [all(t), all(next)];
  const kept = text !== null || (found.length === before.length && found.every((word, k) => word === before[k]));
  const reads = !text || model.joinWords(next.segments[at.segment].words) === text.replace(/\s+/g, ' ');
  const seen = [!kept && 'words lost', !reads && `not ${text}`, ...faults(next)].filter(Boolean);
  wrong.push(...seen.map((fault) => [step, fault]));
  t = next.segments.length > 1 ? next : t;
}
return wrong;
"""


@pytest.mark.parametrize("seed", range(1, 9))
def test_whatever_is_done_words_and_times_stay_in_order(page, seed):
    talk = spoken([(f"S{k % 3}", f"word{k} and some more, {k}!") for k in range(12)])
    assert run(page, RANDOM, {"seed": seed * 7919, "talk": talk}) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("CAFE", [[0, 2, 0, 2]]),
        ("café is", [[0, 2, 0, 3]]),
        ("is good and", [[0, 3, 1, 0]]),  # across two segments of one speaker
        ("warm no", []),  # not from one speaker to the next
        ("good.", [[0, 4, 0, 4]]),
        ("goo", [[0, 4, 0, 4]]),
        ("  ", []),
        ("nowhere", []),
    ],
)
def test_search_reads_over_words_and_past_case_accents_and_punctuation(page, query, expected):
    talk = spoken([("A", "The old Café, is good."), ("A", "And warm."), ("B", "No!")])
    body = """
    const found = new model.SearchIndex(model.openTranscript(given.talk)).find(given.query);
    return found.map(({first, last}) => [first.segment, first.word, last.segment, last.word]);
    """
    assert run(page, body, {"talk": talk, "query": query}) == expected


def test_lanes_are_the_turns_heard_corrected_by_the_words(page):
    turns = [
        {"start": 0, "end": 5, "speaker": "A"},
        {"start": 3, "end": 8, "speaker": "B"},
        {"start": 20, "end": 21, "speaker": "B"},
    ]
    talk = {**TALK, "speaker_turns": turns}
    body = """
    const heard = new model.HeardTurns(given);
    const t = model.openTranscript(given);
    const shown = (transcript) => Object.fromEntries([...heard.lanes(transcript)]);
    return [shown(t), shown(model.assignSegment(t, 1, 'A')), shown(model.mergeSpeakers(t, 'B', 'A'))];
    """
    at_first, moved, merged = run(page, body, talk)
    assert at_first == {"A": [[0, 5], [7.5, 10.4]], "B": [[3, 8], [20, 21]]}
    assert moved["B"] == [[3, 5], [6.9, 8], [20, 21]]
    assert moved["A"] == [[0, 6.9], [7.5, 10.4]]
    assert merged == {"A": [[0, 10.4], [20, 21]]}


def test_the_word_heard_is_the_one_begun_last_of_those_still_heard(page):
    talk = {
        "segments": [
            {"speaker": "A", "words": [{"word": "long", "start": 1, "end": 5}, {"word": "end", "start": 6, "end": 7}]},
            {"speaker": "B", "words": [{"word": "mhm", "start": 2, "end": 3}]},
        ]
    }
    body = """
    const times = new model.WordTimes(model.openTranscript(given));
    return [0.5, 1, 2.5, 4, 5, 6.5, 9].map((t) => { const p = times.heardAt(t); return p && [p.segment, p.word]; });
    """
    assert run(page, body, talk) == [None, [0, 0], [1, 0], [0, 0], None, [0, 1], None]


def test_zoom_keeps_what_is_under_the_pointer_and_stays_inside(page):
    body = """
    const all = model.whole(100);
    const near = model.zoomed(all, 0.5, 20);
    const peaks = {per_second: 1, peaks: [0, 9, 3, 7]};
    const columns = [...model.columnPeaks(peaks, {from: 0, span: 4, duration: 4}, 2)];
    const [turned, same] = [model.turnedTo(near, 80), model.turnedTo(near, 30) === near];
    return [near, model.panned(near, -50), model.zoomed(near, 9, 20), turned, same, columns];
    """
    near, left, out, turned, same, peaks = run(page, body)
    assert near == {"from": 10, "span": 50, "duration": 100}
    assert left["from"] == 0
    assert out == {"from": 0, "span": 100, "duration": 100}
    assert turned["from"] == 50
    assert same is True
    assert peaks == [9, 7]


def test_offsets_find_the_row_at_any_height(page):
    body = """
    const heights = Array.from({length: 37}, (_, k) => 10 + (k * 7) % 13);
    const offsets = new model.Offsets(heights);
    heights[5] = 90; offsets.set(5, 90);
    const tops = heights.map((_, k) => heights.slice(0, k).reduce((sum, height) => sum + height, 0));
    const right = (top, k) => offsets.top(k) === top && offsets.indexAt(top) === k && offsets.indexAt(top + 9) === k;
    return tops.every(right)
      && offsets.indexAt(-5) === 0 && offsets.indexAt(1e9) === 36 && new model.Offsets([]).total === 0;
    """
    assert run(page, body) is True
