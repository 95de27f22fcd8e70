"""A machine without a network: whatever tries to reach one is refused, and remembered."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock


@contextmanager
def no_network() -> Iterator[list[str]]:
    """Yield the list that every attempt to look up or to reach another machine is put into."""
    attempts: list[str] = []

    def refuse(*args: object, **_: object) -> None:
        attempts.append(repr(args))
        raise OSError(101, "Network is unreachable")

    class Socket(socket.socket):
        connect = connect_ex = sendto = refuse

    with mock.patch("socket.socket", Socket), mock.patch("socket.getaddrinfo", refuse):
        yield attempts
