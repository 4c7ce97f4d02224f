"""What the environment tells make run."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.playground import SETTINGS, TICK_SECONDS
from local.stack import ROOT
from local.template import Template, read_template

DIRECTORY = ".local"
PORT = 8080


class SettingError(Exception):
    """A variable cannot hold; the message is one line that names it."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where the stack listens, keeps its data, and what its functions are told."""

    directory: Path
    port: int
    aws_port: int  # 0: a free one
    database_url: str | None
    tick_seconds: float
    environment: Mapping[str, str]

    @property
    def parameters(self) -> Mapping[str, str]:
        """Return the template's parameters: with feedback its queue and function are part of it."""
        if self.environment.get("EMAIL_FEEDBACK") != "on":
            return {}
        configuration_set = self.environment.get("EMAIL_CONFIGURATION_SET", "dovecote-local")
        return {"EmailIdentity": "example.com", "EmailConfigurationSet": configuration_set}


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment; raises SettingError.

    Any variable of the template's functions can be given; what is not has a playground's value.
    """
    template = read_template(ROOT / "template.yaml")
    given = {name: environment[name] for name in _variables(template) if environment.get(name)}
    return Settings(
        directory=Path(environment.get("LOCAL_DIRECTORY") or DIRECTORY).absolute(),
        port=_port("PORT", environment, PORT),
        aws_port=_port("AWS_PORT", environment, 0),
        database_url=environment.get("DATABASE_URL") or None,
        tick_seconds=_seconds("TICK_SECONDS", environment, TICK_SECONDS),
        environment={**SETTINGS, **given},
    )


def _variables(template: Template) -> set[str]:
    """Return what functions read, but for what the stack itself decides."""
    names = {name for one in template.functions.values() for name in one.environment}
    return names - {"DATABASE_URL", "AWS_ENDPOINT_URL", "CATALOG_PATH"}


def _port(name: str, environment: Mapping[str, str], default: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise SettingError(f"{name} is {text}: give a number from 1 to 65535, as in {name}=8081")
    return int(text)


def _seconds(name: str, environment: Mapping[str, str], default: float) -> float:
    text = environment.get(name) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise SettingError(f"{name} is {text}: give the seconds between two runs of dispatch")
    return seconds
