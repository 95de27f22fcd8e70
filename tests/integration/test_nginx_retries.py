"""What nginx sends again when the server that it chose takes the whole request and goes away without an answer."""

import re
import socket
import threading
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from tests.support.nginx import Ports, own_folder, replaced, running_nginx, write_configuration

EDITS = "/api/jobs/0123/edits"
BIG = b"x" * 3_000_000  # more than comes with the head, and than nginx keeps in memory


class Server:
    """Reads whole requests, which it notes, and answers them once `told`; else closes the connection."""

    def __init__(self, seen):
        self.seen = seen
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(30)
                self._take(connection)

    def _take(self, connection):
        received = b""
        while b"\r\n\r\n" not in received and (piece := connection.recv(65536)):
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        if not head:
            return
        declared = re.search(rb"(?i)content-length: (\d+)", head)
        while declared and len(body) < int(declared[1]) and (piece := connection.recv(65536)):
            body += piece
        self.seen.append((head.split()[0].decode(), body))
        if len(self.seen) > 1:  # the first one is killed before it says anything
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join(30)


@contextmanager
def site(seen):
    """nginx in front of two of them; gives its address."""
    with ExitStack() as started:
        folder, as_user = started.enter_context(own_folder())
        servers = [Server(seen) for _ in range(2)]
        for server in servers:
            started.callback(server.close)
        write_configuration(folder, ports := Ports(), servers="plain.conf", instances=[one.port for one in servers])
        instances = folder / "parley/instances.conf"  # one that failed is asked again at once, by the next test
        instances.write_text(replaced(instances.read_text(), {"max_fails=1": "max_fails=0"}))
        started.enter_context(running_nginx(folder, as_user, ports))
        yield f"http://127.0.0.1:{ports['http']}"


@pytest.fixture(scope="module")
def seen():
    return []


@pytest.fixture(scope="module")
def url(seen):
    with site(seen) as found:
        yield found


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PUT", EDITS, b"{}"), ("PUT", EDITS, BIG), ("DELETE", "/api/jobs/0123", b""), ("GET", "/api/jobs", b"")],
)
def test_what_may_be_done_twice_is_sent_to_the_other_server(seen, url, method, path, body):
    seen.clear()
    answer = httpx.request(method, url + path, content=body, timeout=30, trust_env=False)
    assert (answer.status_code, answer.text) == (200, "ok")
    assert seen == [(method, body)] * 2


@pytest.mark.parametrize("path", ["/api/upload", "/api/jobs/0123/cancel", "/v1/audio/transcriptions"])
def test_what_may_not_is_sent_once(seen, url, path):
    seen.clear()
    answer = httpx.post(url + path, content=b"{}", timeout=30, trust_env=False)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "submission_unknown")
    assert seen == [("POST", b"{}")]


def test_corrections_of_any_size_are_not_kept(seen, url):
    seen.clear()
    answer = httpx.put(url + EDITS, content=bytes(34 * 1024 * 1024), timeout=30, trust_env=False)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "input_too_large")
    assert seen == []
