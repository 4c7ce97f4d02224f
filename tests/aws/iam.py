"""The way into a database of RDS's: TLS, then a token of IAM for a password.

The embedded PostgreSQL knows no TLS. This stands before it and asks as RDS does.
"""

import select
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# What a client may open with, by the protocol's numbers.
TLS, KERBEROS, CANCEL, START = 80877103, 80877104, 80877102, 196608
PASSWORD_WANTED = b"R" + struct.pack("!ii", 8, 3)
CHUNK = 65536
# A client that says nothing holds no thread for ever.
HANDSHAKE_SECONDS = 10

Address = tuple[str, int]
# Why a user does not get in with a token, "" for one who does.
Refusal = Callable[[str, str], str]


class Refused(Exception):
    """The client does not get in."""


@contextmanager
def guarding(
    behind: Address, here: Address, certified: tuple[Path, Path], refusal: Refusal
) -> Iterator[None]:
    """Listen here, with a certificate and its key, for what is behind."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certified)

    class Guard(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(HANDSHAKE_SECONDS)
            with suppress(OSError, Refused), _secured(self.request, context) as client:
                start, user = _started(client, behind)
                _admit(client, user, refusal(user, _token(client)))
                with socket.create_connection(behind) as server:
                    server.sendall(start)
                    client.settimeout(None)
                    _pass_on(client, server)

    class Guards(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Guards(here, Guard) as guards:
        thread = threading.Thread(target=guards.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            guards.shutdown()
            thread.join()


def _secured(client: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    opened = _opening(client)
    while opened == KERBEROS:
        client.sendall(b"N")
        opened = _opening(client)
    if opened != TLS:
        raise Refused
    client.sendall(b"S")
    return context.wrap_socket(client, server_side=True)


def _opening(client: socket.socket) -> int:
    _, code = struct.unpack("!ii", _exactly(client, 8))
    return int(code)


def _started(client: ssl.SSLSocket, behind: Address) -> tuple[bytes, str]:
    """Read the message of start-up; return it and the user that it names."""
    head = _exactly(client, 8)
    length, code = struct.unpack("!ii", head)
    body = _exactly(client, length - 8)
    if code == CANCEL:
        with socket.create_connection(behind) as server:
            server.sendall(head + body)
    if code != START:
        raise Refused
    fields = body.rstrip(b"\0").split(b"\0")
    return head + body, dict(zip(fields[::2], fields[1::2], strict=True))[b"user"].decode()


def _token(client: ssl.SSLSocket) -> str:
    client.sendall(PASSWORD_WANTED)
    kind, length = struct.unpack("!ci", _exactly(client, 5))
    if kind != b"p":
        raise Refused
    return _exactly(client, length - 4).rstrip(b"\0").decode()


def _admit(client: ssl.SSLSocket, user: str, refusal: str) -> None:
    if not refusal:
        return
    said = f"IAM authentication failed for {user}: {refusal}"
    fields = {"S": "FATAL", "V": "FATAL", "C": "28000", "M": said}
    body = "".join(f"{field}{value}\0" for field, value in fields.items()).encode() + b"\0"
    client.sendall(b"E" + struct.pack("!i", len(body) + 4) + body)
    raise Refused


def _pass_on(client: ssl.SSLSocket, server: socket.socket) -> None:
    """Pass on what either side says until one of them ends; one thread, as TLS wants it."""
    other: dict[socket.socket, socket.socket] = {client: server, server: client}
    while True:
        # What is read of TLS already makes no socket readable.
        ready = [client] if client.pending() else select.select([client, server], [], [])[0]
        for side in ready:
            said = side.recv(CHUNK)
            if not said:
                return
            other[side].sendall(said)


def _exactly(client: socket.socket, length: int) -> bytes:
    read = b""
    while len(read) < length:
        said = client.recv(length - len(read))
        if not said:
            raise Refused
        read += said
    return read
