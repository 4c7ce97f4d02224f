"""The display texts of statuses, reasons and events, which the console reads from the same file."""

from pathlib import Path

import msgspec

FILE = Path(__file__).parent / "console" / "static" / "texts.json"


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A title of a few words and a sentence; both may have placeholders."""

    title: str
    sentence: str


class EventText(Text, frozen=True, forbid_unknown_fields=True):
    """The text of an event; `tone` names its colour in the console."""

    tone: str


class Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All texts, by the words of the database."""

    statuses: dict[str, Text]
    dead_letter_reasons: dict[str, Text]
    skip_reasons: dict[str, Text]
    events: dict[str, EventText]

    def reason(self, reason: str) -> Text:
        """Return the text of a dead letter's or skip's reason; another reason is its own text.

        What follows a colon in the reason is the `{detail}` of the sentence.
        """
        name, _, detail = reason.partition(": ")
        text = (self.dead_letter_reasons | self.skip_reasons).get(name)
        if text is None:
            return Text(title=reason, sentence=f"{reason}.")
        return Text(title=text.title, sentence=text.sentence.format(detail=detail))

    def title(self, event: str, attempt: int | None) -> str:
        """Return the title of an event of a route's history."""
        text = self.events.get(event)
        return (
            event.replace("_", " ").capitalize()
            if text is None
            else text.title.format(attempt=attempt)
        )


TEXTS = msgspec.json.decode(FILE.read_bytes(), type=Texts)


def short(identifier: str) -> str:
    """Return the last 8 characters of a UUID: those of version 7 begin with the time."""
    return identifier[-8:]
