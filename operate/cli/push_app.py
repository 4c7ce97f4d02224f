"""`dovecote push-app`: create or update an SNS platform application."""

import argparse

from operate.channels.push import application
from operate.channels.push.credentials import Given
from operate.cli import options
from operate.finding import report

DESCRIPTION = """\
Create an SNS platform application, or give an existing one new credentials, and
let it report dead devices to the stack. CloudFormation has no such resource.
APNs needs a signing key with its ids, or a certificate with its key; FCM needs
a service account. Without credentials it sets the topics of an existing one.
Secrets are read from files and never printed."""
EXAMPLES = """\
  dovecote push-app --env dev --platform apns --name shop --key AuthKey.p8 \\
    --key-id ABC123DEF4 --team-id TEAM123456 --bundle-id org.example.shop
  dovecote push-app --env dev --platform fcm --name shop \\
    --service-account service-account.json
"""
ENDS = {
    "success": "the application is created or updated",
    "failure": "it is not",
}
CREDENTIALS = {
    "key": ("FILE", "Apple's signing key (.p8), or the key of --cert in PEM"),
    "key_id": ("ID", "of the .p8: 10 characters"),
    "team_id": ("ID", "of the Apple developer account: 10 characters"),
    "bundle_id": ("ID", "of the app, such as org.example.app"),
    "cert": ("FILE", "an APNs certificate in PEM, instead of a .p8"),
    "service_account": ("FILE", "JSON of a Firebase service account"),
}
"""The fields of credentials.Given: the metavar and the help of the option of each."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    platforms = list(application.PLATFORMS)
    parser.add_argument(
        "--platform", required=True, choices=platforms, metavar="P", help=", ".join(platforms)
    )
    parser.add_argument("--name", required=True, help="the application's name in this region")
    for name, (metavar, words) in CREDENTIALS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, help=words)
    options.add_environment(parser, "default")
    options.add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Print what was done; return 1 if it failed."""
    credentials = Given(**{name: getattr(given, name) for name in CREDENTIALS})
    made = application.make(options.site(given), given.platform, given.name, credentials)
    return report(made, as_json=given.json)
