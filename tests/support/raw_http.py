"""HTTP by hand, for what no client library would send."""

import re
import socket


def head_bytes(head):
    """A request's head as it is sent."""
    return (head + "\n\n").replace("\n", "\r\n").encode("latin-1")


def exchanged(port, head, *pieces, timeout_s=20):
    """Send a request as it is, and return the whole answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        connection.sendall(head_bytes(head))
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        while not _is_whole(received) and (piece := connection.recv(65536)):
            received += piece
        return received.decode()


def _is_whole(received):
    head, found, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(found and length and len(body) >= int(length[1]))
