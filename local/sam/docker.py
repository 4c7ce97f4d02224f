"""Docker: whether it is there, the functions' image, and the address that containers know us by.

On Linux host.docker.internal is the bridge's gateway, an address of this machine. Docker Desktop
keeps the bridge in a virtual machine, and there the name leads to 127.0.0.1.
"""

import json
import re
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_network
from pathlib import Path
from typing import Any

from local import LocalError

IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"
LOOPBACK = ip_network("127.0.0.0/8")
ASK_SECONDS = 20
STARTED = re.compile(r"^SAM_CONTAINER_ID: (\w+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """The network of the containers, as far as this machine is on it."""

    gateway: IPv4Address
    subnet: IPv4Network


def require() -> None:
    """Raise LocalError where no Docker engine answers."""
    try:
        asked = _docker("version", "--format", "{{.Server.Version}}")
    except FileNotFoundError:
        raise LocalError(
            "sam local needs Docker: install it (Debian and Ubuntu: apt-get install docker.io);"
            " make demo and make test need none"
        ) from None
    except subprocess.TimeoutExpired:
        raise LocalError(f"Docker did not answer in {ASK_SECONDS} s: restart its engine") from None
    if asked.returncode != 0:
        why = (asked.stderr.strip().splitlines() or ["it gives no reason"])[-1]
        raise LocalError(f"no Docker engine answers: start it (systemctl start docker); {why}")


def has_image() -> bool:
    """Tell whether the image of the functions is on this machine; else sam has to pull it."""
    return _docker("image", "inspect", IMAGE).returncode == 0


def bridge() -> Bridge | None:
    """Return Docker's default network where this machine has an address on it, else None."""
    inspected = _docker("network", "inspect", "bridge")
    if inspected.returncode != 0:
        raise LocalError(f"Docker has no default bridge network: {inspected.stderr.strip()}")
    configured = json.loads(inspected.stdout)[0]["IPAM"]["Config"]
    found = next((_bridge(entry) for entry in configured if ":" not in entry["Subnet"]), None)
    return found if found is not None and _is_ours(found.gateway) else None


def containers(log: Path) -> list[str]:
    """Return the ids of the containers that a log of sam's names, in order."""
    return STARTED.findall(log.read_text(errors="replace"))


def remove(*logs: Path) -> None:
    """Remove the containers that sam left behind; one that is gone is no error."""
    if left := [container for log in logs for container in containers(log)]:
        _docker("rm", "--force", *left)


def _bridge(entry: dict[str, Any]) -> Bridge:
    subnet = IPv4Network(entry["Subnet"])
    # Docker names the gateway only where it was configured or a container has run.
    return Bridge(gateway=IPv4Address(entry.get("Gateway") or subnet[1]), subnet=subnet)


def _is_ours(address: IPv4Address) -> bool:
    with suppress(OSError), socket.socket() as probe:
        probe.bind((str(address), 0))
        return True
    return False


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments],  # noqa: S607 - wherever the user has it
        check=False,
        capture_output=True,
        text=True,
        timeout=ASK_SECONDS,
    )


if __name__ == "__main__":
    try:
        require()
    except LocalError as error:
        sys.exit(str(error))
