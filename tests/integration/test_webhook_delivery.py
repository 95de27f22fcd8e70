"""Webhooks over real sockets: taken, tried again, given up, kept away from private networks."""

import asyncio
import json
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from common.errors import ConfigurationError, InvalidInputError
from common.webhook import Delivery, deliver, webhook_url

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = {"id": "job-1", "status": "COMPLETED", "output": {"text": "Grüße"}}


class Receiver:
    """Answers each POST with the next of `answers`, the last of them for ever; keeps what it got."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.got = []
        self.url = ""

    async def handle(self, request):
        self.got.append((time.monotonic(), request.path, dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            return await answer(request)
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        return web.Response(status=status, headers=headers)


@asynccontextmanager
async def receiving(*answers):
    receiver = Receiver(*answers)
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook?token=a%2Fb"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def sent(url, *, deadline_s=5.0, private=True, first_pause_s=0.01, secret=SECRET):
    return await deliver(
        url,
        BODY,
        secret=secret,
        message_id="msg-1",
        allow_private_addresses=private,
        deadline_s=deadline_s,
        first_pause_s=first_pause_s,
    )


async def test_a_webhook_is_posted_once_and_its_signature_holds():
    async with receiving(204) as receiver:
        assert await sent(receiver.url) == Delivery(delivered=True, attempts=1)
    ((_, path, headers, body),) = receiver.got
    assert (path, json.loads(body), headers["Content-Type"]) == ("/hook", BODY, "application/json")
    assert Webhook(SECRET).verify(body, headers) == BODY
    assert headers["webhook-id"] == "msg-1"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503, 599])
async def test_what_may_pass_is_tried_again_as_the_same_message(status):
    async with receiving(status, status, 200) as receiver:
        assert await sent(receiver.url) == Delivery(delivered=True, attempts=3)
    assert {headers["webhook-id"] for _, _, headers, _ in receiver.got} == {"msg-1"}
    assert len({body for *_, body in receiver.got}) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422, 301, 302, 307, 308])
async def test_what_will_not_pass_is_not_tried_again_and_no_redirect_is_followed(status):
    async with receiving((status, {"Location": "/elsewhere"}), 200) as receiver:
        assert await sent(receiver.url) == Delivery(delivered=False, attempts=1, reason=f"its server answered {status}")
    assert [path for _, path, _, _ in receiver.got] == ["/hook"]


async def test_pauses_grow_and_end_with_the_time():
    async with receiving(503) as receiver:
        began = time.monotonic()
        delivery = await sent(receiver.url, deadline_s=0.6, first_pause_s=0.04)
        assert time.monotonic() - began < 0.7
    assert (delivery.delivered, delivery.reason) == (False, "its server answered 503")
    at = [moment for moment, *_ in receiver.got]
    pauses = [later - earlier for earlier, later in pairwise(at)]
    assert 3 <= delivery.attempts == len(at) <= 6  # 0.04, 0.08, 0.16 … each shortened by up to half
    assert all(pause >= 0.02 * 2**number for number, pause in enumerate(pauses))


async def test_a_retry_after_is_waited_for():
    async with receiving((503, {"Retry-After": "0.3"}), 200) as receiver:
        assert await sent(receiver.url) == Delivery(delivered=True, attempts=2)
    assert receiver.got[1][0] - receiver.got[0][0] >= 0.3


async def test_a_retry_after_beyond_the_time_left_ends_it_at_once():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    async with receiving((429, {"Retry-After": later})) as receiver:
        began = time.monotonic()
        delivery = await sent(receiver.url, deadline_s=20.0)
    assert delivery == Delivery(delivered=False, attempts=1, reason="its server answered 429")
    assert time.monotonic() - began < 5


async def test_a_server_that_hangs_up_is_tried_again():
    async def hang_up(request):
        request.transport.close()
        return web.Response()

    async with receiving(hang_up, 200) as receiver:
        assert await sent(receiver.url) == Delivery(delivered=True, attempts=2)


async def test_nobody_there_is_told_without_a_host_name(unused_tcp_port):
    delivery = await sent(f"http://127.0.0.1:{unused_tcp_port}/hook", deadline_s=0.2)
    assert delivery.attempts >= 2
    assert delivery.reason == "its server cannot be reached or does not speak HTTP"


async def test_a_server_that_never_answers_costs_no_more_than_the_time_given():
    async def never(request):
        await asyncio.sleep(60)

    async with receiving(never) as receiver:
        began = time.monotonic()
        delivery = await sent(receiver.url, deadline_s=0.3)
        assert time.monotonic() - began < 1.5
    assert delivery == Delivery(delivered=False, attempts=1, reason="its server did not answer in time")


async def test_an_endless_answer_is_not_read():
    async def endless(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async with receiving(endless) as receiver:
        began = time.monotonic()
        assert await sent(receiver.url) == Delivery(delivered=True, attempts=1)
        assert time.monotonic() - began < 2


async def test_no_time_is_no_attempt():
    async with receiving(200) as receiver:
        assert await sent(receiver.url, deadline_s=0.0) == Delivery(
            delivered=False, attempts=0, reason="there was no time left for it"
        )
    assert receiver.got == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"])
async def test_a_private_address_is_never_connected_to(host):
    async with receiving(200) as receiver:
        url = receiver.url.replace("127.0.0.1", host)
        assert await sent(url, private=False) == Delivery(
            delivered=False, attempts=1, reason="its URL leads to a private network address"
        )
    assert receiver.got == []


@pytest.mark.parametrize("url", ["ftp://example.org/x", "https://user:secret@example.org/", "http://", "http://a\nb/"])
async def test_a_url_that_nothing_can_be_posted_to_is_told_as_such(url):
    delivery = await sent(url)
    assert (delivery.delivered, delivery.attempts) == (False, 0)
    assert delivery.reason.startswith("the webhook must be http:// or https://")
    with pytest.raises(InvalidInputError) as caught:
        webhook_url(url)
    assert caught.value.param == "webhook"


async def test_a_host_name_that_cannot_be_is_told_as_such():
    assert await sent(f"http://{'a' * 64}.example/") == Delivery(
        delivered=False, attempts=1, reason="its URL is malformed"
    )


async def test_a_secret_that_cannot_sign_is_said_before_anything_is_sent():
    async with receiving(200) as receiver:
        with pytest.raises(ConfigurationError, match="WEBHOOK_SECRET"):
            await sent(receiver.url, secret="whsec_?")
    assert receiver.got == []
