"""The resources that answers have stopped, shared by the concurrent batches of one worker."""

import threading


class StoppedResources:
    """Resources through which no send begins: a channel, or one of its identities or applications.

    Thread-safe. A channel's worker owns one, and starts another when the store has the pauses.
    """

    def __init__(self) -> None:
        self._resources: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def __contains__(self, resource: str) -> bool:
        """Return whether an answer has stopped a resource."""
        return resource in self._resources

    def add(self, resource: str) -> None:
        """Stop a resource."""
        with self._lock:
            self._resources |= {resource}

    def discard(self, resource: str) -> None:
        """Let sends through a resource begin again."""
        with self._lock:
            self._resources -= {resource}
