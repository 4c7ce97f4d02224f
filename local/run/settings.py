"""What the environment tells make run."""

import os
from collections.abc import Mapping
from pathlib import Path

from dovecote.wiring import settings
from local import LocalError
from local.page.site import serve
from local.playground import SETTINGS, TICK_SECONDS
from local.stack import Options
from local.template import read_template
from operate import ROOT

DIRECTORY = ".local"
PORT = 8080
# What the stack itself decides.
OWN = {"DATABASE_URL", "AWS_ENDPOINT_URL", "CATALOG_PATH"}
# What SIGKILL left of a PostgreSQL may take this long to write down what it knew.
LOCK_SECONDS = 20


def read(given: Mapping[str, str] = os.environ) -> Options:
    """Read the environment; raises LocalError.

    Any setting and any variable of the template's functions can be given; what is not given has a
    playground's value.
    """
    functions = read_template(ROOT / "template.yaml").functions.values()
    names = {name for one in functions for name in one.environment}.union(settings.names()) - OWN
    environment = {**SETTINGS, **{name: given[name] for name in names if given.get(name)}}
    return Options(
        directory=Path(given.get("LOCAL_DIRECTORY") or DIRECTORY).absolute(),
        database_url=given.get("DATABASE_URL") or None,
        parameters=_parameters(environment),
        environment=environment,
        tick_seconds=_seconds("TICK_SECONDS", given, TICK_SECONDS),
        api_port=_port("PORT", given, PORT),
        aws_port=_port("AWS_PORT", given, 0),
        page=serve,
        lock_seconds=LOCK_SECONDS,
    )


def _parameters(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return the template's parameters: with feedback its queue and function are part of it."""
    if environment.get("EMAIL_FEEDBACK") != "on":
        return {}
    configuration_set = environment.get("EMAIL_CONFIGURATION_SET", "dovecote-local")
    return {"EmailIdentity": "example.com", "EmailConfigurationSet": configuration_set}


def _port(name: str, given: Mapping[str, str], default: int) -> int:
    text = given.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise LocalError(f"{name} is {text}: give a number from 1 to 65535, as in {name}=8081")
    return int(text)


def _seconds(name: str, given: Mapping[str, str], default: float) -> float:
    text = given.get(name) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise LocalError(f"{name} is {text}: give the seconds between two runs of dispatch")
    return seconds
