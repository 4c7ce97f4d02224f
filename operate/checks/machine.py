"""What builds and deploys from here, and what it is told."""

import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from build import find_python  # the layer's own, so that both find the same
from operate import OperatorError
from operate.finding import Finding, ok, skipped, wrong
from operate.site import Site

AUTHORITIES = Path("layers", "dovecote", "dovecote", "store", "rds-ca.pem")
BUNDLE = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
OLDEST = (3, 11)
SAM_SECONDS = 60


def python(_site: Site) -> Iterator[Finding]:
    """Look for a Python that runs all this, and for the one that compiles for Lambda."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST:
        yield wrong(f"Python {version} is too old", "make setup PYTHON=python3.13")
    compiler = find_python()
    if compiler is None:
        yield wrong(
            f"Python {version}, and no 3.13 on PATH or in pyenv: the layer's modules cannot be"
            " compiled, every cold start has to, and a build with ENV=prod refuses",
            "pyenv install 3.13, or install python3.13",
        )
    else:
        yield ok(f"Python {version}; {compiler} compiles the layer")


def sam(site: Site) -> Iterator[Finding]:
    """Look for the aws-sam-cli that make build installs."""
    path = site.root / ".venv-sam" / "bin" / "sam"
    try:
        asked = subprocess.run(  # noqa: S603 - a path of the project's own
            [str(path), "--version"],
            check=True, capture_output=True, text=True, timeout=SAM_SECONDS,
        )  # fmt: skip
    except FileNotFoundError:
        yield skipped("aws-sam-cli is not installed yet: make build installs it in .venv-sam")
    except (OSError, subprocess.SubprocessError) as error:
        yield wrong(
            f"aws-sam-cli does not run: {type(error).__name__}", "rm -r .venv-sam && make build"
        )
    else:
        yield ok(asked.stdout.strip())


def samconfig(site: Site) -> Iterator[Finding]:
    """Look for the section of the environment."""
    try:
        section = site.section
    except OperatorError as error:
        yield wrong(str(error), error.remedy, stops=True)
    else:
        region = section.region or "the region of AWS_DEFAULT_REGION or the profile"
        yield ok(
            f"samconfig.toml: {section.environment} is the stack {section.stack_name} in {region},"
            f" with {len(section.parameters)} parameters"
        )


def authorities(site: Site) -> Iterator[Finding]:
    """Look whether the region's databases are trusted: without, provision does not connect."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(site.root / AUTHORITIES)
    region = site.region
    subjects = [str(certificate.get("subject")) for certificate in context.get_ca_certs()]
    if any(f"Amazon RDS {region} Root CA " in subject for subject in subjects):
        yield ok(f"{AUTHORITIES.name} has the authorities of RDS in {region}")
    else:
        yield wrong(
            f"{AUTHORITIES.name} has no authority of RDS in {region}, and functions do not connect",
            f"curl -o {AUTHORITIES} {BUNDLE}, and append Amazon's roots where a proxy is used",
        )
