import asyncio

import pytest

from common.errors import JobCancelledError
from common.progress import Progress, part_of


async def collected(use):
    posted = []

    async def post(progress):
        posted.append(progress)

    async with Progress(post) as progress:
        await use(progress)
    return posted


async def test_the_newest_value_is_posted_clipped_and_rounded():
    async def use(progress):
        progress.tick("decoding", -1.0)
        await asyncio.sleep(0.01)

    assert await collected(use) == [{"stage": "decoding", "progress": 0.0}]


async def test_values_that_come_too_fast_are_skipped(monkeypatch):
    monkeypatch.setattr("common.progress.MIN_INTERVAL_S", 60)

    async def use(progress):
        for step in range(10):
            progress.tick("decoding", step / 10)
            await asyncio.sleep(0)

    assert len(await collected(use)) <= 1


async def test_the_same_value_is_posted_once(monkeypatch):
    monkeypatch.setattr("common.progress.MIN_INTERVAL_S", 0.001)

    async def use(progress):
        progress.tick("decoding", 2.0)
        await asyncio.sleep(0.03)

    assert await collected(use) == [{"stage": "decoding", "progress": 1.0}]


async def test_after_stop_every_tick_raises():
    async def use(progress):
        progress.stop()
        with pytest.raises(JobCancelledError):
            progress.tick("decoding", 0.5)

    assert await collected(use) == []


async def test_a_post_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr("common.progress.FLUSH_TIMEOUT_S", 0.02)

    async def post(progress):
        await asyncio.sleep(60)

    started = asyncio.get_running_loop().time()
    async with Progress(post) as progress:
        progress.tick("decoding", 0.5)
        await asyncio.sleep(0.01)
    assert asyncio.get_running_loop().time() - started < 5


def test_a_part_reports_its_share_of_the_whole():
    ticks = []
    tick = part_of(lambda stage, fraction: ticks.append((stage, fraction)), 0.5, 0.75)
    for fraction in (0.0, 0.5, 1.0):
        tick("embeddings", fraction)
    assert ticks == [("embeddings", 0.5), ("embeddings", 0.625), ("embeddings", 0.75)]
