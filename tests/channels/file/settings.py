"""The settings of the channel: the variables FILE_*."""

import msgspec


class FileSettings(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """The folder that the files are in."""

    file_folder: str = ""

    @property
    def waits_for_events(self) -> bool:
        """Return False: a file system reports nothing later."""
        return False

    def check(self) -> None:
        """Do nothing: the settings contradict nothing."""


SETTINGS = FileSettings
