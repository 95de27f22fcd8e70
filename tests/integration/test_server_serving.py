import asyncio
import socket

import pytest

from common.errors import ConfigurationError
from orchestrator.server.app import make_app, serve
from tests.support.server_app import ToyBackend, context_in


@pytest.fixture
def app(tmp_path):
    async def made():
        context, engine = context_in(tmp_path, ToyBackend())
        return make_app(context), engine

    loop = asyncio.new_event_loop()
    app, engine = loop.run_until_complete(made())
    yield app
    engine.dispose()
    loop.close()


async def test_a_port_that_another_process_has_is_named_as_a_setting(app):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"cannot listen on port {port}.*SERVER_PORT") as raised:
            await serve(app, host="127.0.0.1", port=port, on_ready=pytest.fail)
    assert raised.value.param == "SERVER_PORT"


@pytest.mark.parametrize("host", ["203.0.113.9", "nowhere.invalid"])
async def test_a_host_that_is_not_this_machine_is_named_as_a_setting(app, host):
    with pytest.raises(ConfigurationError) as raised:
        await serve(app, host=host, port=0, on_ready=pytest.fail)
    assert raised.value.param == "SERVER_HOST"


async def test_a_runner_that_does_not_start_ends_the_server(app, monkeypatch):
    async def start():
        raise ConfigurationError("the workers cannot be started")

    monkeypatch.setattr(app.state.context.runner, "start", start)
    with pytest.raises(ConfigurationError, match="the workers cannot be started"):
        await serve(app, host="127.0.0.1", port=0, on_ready=pytest.fail)


async def test_a_cancelled_server_closes_its_port_and_its_runner(app, monkeypatch):
    closed = asyncio.Event()
    close = app.state.context.runner.close

    async def noted():
        await close()
        closed.set()

    monkeypatch.setattr(app.state.context.runner, "close", noted)
    ready = asyncio.Future()
    serving = asyncio.create_task(serve(app, host="127.0.0.1", port=0, on_ready=ready.set_result))
    url = await asyncio.wait_for(ready, 20)
    port = int(url.removeprefix("http://127.0.0.1:"))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert closed.is_set()
    writer.close()
    with pytest.raises(OSError):  # noqa: PT011 - refused, of whatever errno
        await asyncio.open_connection("127.0.0.1", port)
