"""A worker that cannot start says why in one line and ends with the code that means: do not start me again."""

import os
import subprocess
import sys
from functools import partial

import pytest

from common.errors import ConfigurationError
from common.settings import load_settings
from handlers.redis_worker import serve_queue
from tests.support.optional import needed_program
from tests.support.redis_server import redis_server

SETTINGS = load_settings({})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://:hunter2@host:port", "QUEUE_URL is not valid: expected redis://"),
        ("", "a worker needs QUEUE_URL, the address of Redis"),
    ],
)
def test_a_wrong_address_ends_it(url, said):
    command = [sys.executable, "-m", "handlers.redis_worker", "diarization"]
    env = {**os.environ, "QUEUE_URL": url}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 78
    assert ended.stderr.startswith(f"PARLEY-FATAL {said}")
    assert "hunter2" not in ended.stderr


def test_a_wrong_password_ends_it_before_a_model_is_loaded():
    needed_program("redis-server")
    with redis_server(password="s3cret") as server:
        serve = partial(serve_queue, "diarization", SETTINGS, pytest.fail)
        with pytest.raises(ConfigurationError, match="check the user and the password") as caught:
            serve(url=server.url.replace("s3cret", "hunter2"))
    assert "hunter2" not in str(caught.value)
