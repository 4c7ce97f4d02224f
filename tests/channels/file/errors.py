"""What the errors of the file system mean, by the names of errno."""

from collections.abc import Sequence

from dovecote.channels.provider_errors import Meaning, Rule

RULES: Sequence[Rule] = (
    Rule(codes=("EISDIR", "ENOTDIR"), meaning=Meaning.MESSAGE, source="open(2)"),
    Rule(codes=("ENOENT",), meaning=Meaning.RETRY, source="open(2)"),
    Rule(meaning=Meaning.ACCOUNT, source="open(2): such as a file system that is read-only"),
)
