"""Append a line to a file, by the template of its kind."""

import errno
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

from dovecote.catalog.kinds import Catalog
from dovecote.catalog.rendering import Renderer, variables
from dovecote.channels.base import Prepared, Reply, Tools
from dovecote.channels.file.errors import RULES
from dovecote.channels.file.kind import LINE
from dovecote.channels.file.settings import FileSettings
from dovecote.channels.provider_errors import Meaning, rule_of
from dovecote.core.claim import Claim
from dovecote.core.outcome import Delivered, Failed, Outcome, Permanent, Unavailable


class Line(Prepared, frozen=True, kw_only=True):
    """A rendered line."""

    text: str


class FileChannel:
    """Appends what a claim's kind says to the file of its route."""

    hold_seconds = 0.0
    keeps_acceptances = False
    batch_size = 1
    max_size = 0
    rate_from_provider = False

    def __init__(self, folder: Path, catalog: Catalog, renderer: Renderer) -> None:
        self._folder = folder
        self._catalog = catalog
        self._renderer = renderer

    def connect(self) -> None:
        """Do nothing: there is no client."""

    def resources(self, claim: Claim) -> Sequence[str]:
        """Return the channel: one folder has all files."""
        return (claim.channel,)

    def batch_key(self, _claim: Claim) -> Hashable | None:
        """Return None: each line is appended alone."""
        return None

    def prepare(self, claim: Claim) -> Line | Outcome:
        """Render a claim's line, or say why there is none."""
        kind = self._catalog.get(claim.kind)
        if kind is None or not claim.address:
            return Failed(error="unknown kind, or no file", asked=False)
        text = self._renderer.text(kind, claim.locale, LINE, variables(claim))
        return Line(claim=claim, text=text.strip())

    def send(self, messages: Sequence[Line]) -> Iterable[Reply]:
        """Append each line."""
        return [([message.claim], self._appended(message)) for message in messages]

    def rate(self) -> float | None:
        """Return None: a file system has no limit."""
        return None

    def _appended(self, message: Line) -> Outcome:
        claim = message.claim
        if not self._folder.is_dir():
            return Unavailable(resource=claim.channel, error="FILE_FOLDER is not a folder")
        try:
            with (self._folder / str(claim.address)).open("a", encoding="utf-8") as file:
                file.write(f"{message.text}\n")
        except OSError as error:
            return _failed(claim, errno.errorcode.get(error.errno or 0, "Unknown"))
        return Delivered(message_id=f"{claim.route_id}-{claim.claims}")


def _failed(claim: Claim, code: str) -> Outcome:
    rule = rule_of(RULES, code, "")
    match rule.meaning if rule else Meaning.RETRY:
        case Meaning.MESSAGE:
            return Permanent(error=code)
        case Meaning.ACCOUNT:
            return Unavailable(resource=claim.channel, error=code)
    return Failed(error=code)


def sender(settings: FileSettings, tools: Tools) -> FileChannel:
    """Return what appends to the files of FILE_FOLDER."""
    return FileChannel(Path(settings.file_folder), tools.catalog, tools.renderer)
