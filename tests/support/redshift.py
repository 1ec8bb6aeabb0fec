"""PostgreSQL for who speaks to Redshift: what the one does not know of the other's greeting is left out.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

_KNOWN = (b"user", b"database", b"application_name")


@contextmanager
def as_redshift(port: int) -> Iterator[int]:
    """A port on which a PostgreSQL on another port answers Redshift's driver, for the length of the block."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=_accept, args=(listener, port), daemon=True).start()
        yield listener.getsockname()[1]


def _accept(listener: socket.socket, port: int) -> None:
    with suppress(OSError):  # the listener is closed
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", port))
            server.sendall(_startup(client))
            client.sendall(_authentication(server))
            threading.Thread(target=_pass_on, args=(client, server), daemon=True).start()
            threading.Thread(target=_pass_on, args=(server, client), daemon=True).start()


def _read(source: socket.socket) -> bytes:
    """A message without its length, which is the first thing in it."""
    (length,) = struct.unpack("!i", source.recv(4, socket.MSG_WAITALL))
    return source.recv(length - 4, socket.MSG_WAITALL)


def _with_length(body: bytes) -> bytes:
    return struct.pack("!i", len(body) + 4) + body


def _startup(client: socket.socket) -> bytes:
    message = _read(client)
    words = message[4:].rstrip(b"\0").split(b"\0")
    known = [pair for pair in zip(words[::2], words[1::2], strict=False) if pair[0] in _KNOWN]
    return _with_length(message[:4] + b"\0".join(word for pair in known for word in pair) + b"\0\0")


def _authentication(server: socket.socket) -> bytes:
    kind, message = server.recv(1), _read(server)
    # The driver takes the end of the list of ways for one more way.
    return kind + _with_length(message.removesuffix(b"\0") if kind == b"R" else message)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(1 << 16):
            target.sendall(block)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
