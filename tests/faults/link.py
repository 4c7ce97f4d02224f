"""A bad network link: a TCP proxy that delays, drops, and goes silent without hanging up."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Look = Callable[[bytes], bool]
"""Sees what a client sent, or a server answered, and says whether it is to be kept back."""


class Link:
    """Carries bytes between clients and one server, as well or as badly as it is told.

    A link that is silent takes what it is given, acknowledges it as TCP does, and passes nothing
    on: what a half-open connection looks like to both ends.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.delay = 0.0
        self.silent = False
        self.loses_answer_to: bytes | None = None
        self.opened = 0
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def drop(self) -> None:
        """Close every connection that is open now."""
        for pair in self._pairs:
            for end in pair:
                _end(end)
        self._pairs.clear()

    def close(self) -> None:
        """Take no more connections, and close those that are open."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # which wakes who waits for a client
        self._listener.close()
        self.drop()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.opened += 1
                if self.silent:
                    self._pairs.append((client, client))  # held, and never answered
                    continue
                try:
                    server = socket.create_connection(self._server)
                except OSError:
                    client.close()
                    continue
                self._pairs.append((client, server))
                lost = threading.Event()
                self._carry(client, server, self._request(lost))
                self._carry(server, client, self._answer(lost))

    def _request(self, lost: threading.Event) -> Look:
        def look(sent: bytes) -> bool:
            if self.loses_answer_to is not None and self.loses_answer_to in sent:
                self.loses_answer_to = None
                lost.set()
            return self.silent

        return look

    def _answer(self, lost: threading.Event) -> Look:
        return lambda _: self.silent or lost.is_set()

    def _carry(self, source: socket.socket, target: socket.socket, kept_back: Look) -> None:
        def carry() -> None:
            with suppress(OSError):
                while chunk := source.recv(65536):
                    if self.delay:
                        time.sleep(self.delay)
                    if not kept_back(chunk):
                        target.sendall(chunk)
            for end in (source, target):
                _end(end)

        threading.Thread(target=carry, daemon=True).start()


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)  # which wakes who reads from it
    end.close()


@contextmanager
def linked(host: str, port: int) -> Iterator[Link]:
    """Put a link before a server for as long as the context lasts."""
    link = Link(host, port)
    try:
        yield link
    finally:
        link.close()
