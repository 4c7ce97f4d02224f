"""Lines in files: a channel that exists in tests alone.

tests/integration/test_file_channel.py copies this folder into a checkout and registers it there.
"""

import re

from dovecote.channels import ChannelDefinition
from dovecote.core.parsing.addresses import BadAddress

_NAME = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)*\.txt\Z")


def normalised(name: str) -> str:
    """Return the name of a file below FILE_FOLDER; raise BadAddress."""
    if not _NAME.match(name.lower()):
        raise BadAddress("is not the name of a file, such as team/news.txt")
    return name.lower()


CHANNEL = ChannelDefinition(
    folder=__name__, name="file", address_field="file", normalise=normalised
)
