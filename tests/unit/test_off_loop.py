import threading

import pytest

from common.answer import Heard
from common.timeline import Word
from orchestrator.off_loop import SMALL, items_of, off_loop
from tests.support.fake_endpoint import DIARIZED, HEARD


@pytest.mark.parametrize(("items", "here"), [(0, True), (SMALL, True), (SMALL + 1, False)])
async def test_only_long_results_go_to_a_thread(items, here):
    assert (await off_loop(items, threading.current_thread) is threading.current_thread()) is here


async def test_errors_and_arguments_pass():
    with pytest.raises(ValueError, match="invalid literal"):
        await off_loop(SMALL + 1, int, "x", base=10)


def test_items_are_words_segments_and_turns_of_whatever_there_is():
    word = Word(text="hi", start=0.0, end=1.0)
    heard = Heard(words=(word,), language="en", duration_s=1.0)
    assert (items_of(HEARD), items_of(DIARIZED), items_of(heard, DIARIZED)) == (3, 2, 3)
    assert items_of(None, {"words": 7, "segments": None}, ValueError()) == 0
