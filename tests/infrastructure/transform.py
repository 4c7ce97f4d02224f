"""Print template.yaml as CloudFormation gets it: with SAM's transform applied, offline, as JSON.

Arguments are values of parameters, as Name=value.

sam's own lint does not see what the transform makes, and misses fatal errors in it.
"""

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any, cast

from boto3 import Session
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from local.intrinsic import load

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"

# Stand for what sam package uploads; the translator takes no local path.
UPLOADED = {
    "CodeUri": "s3://artifacts/key",
    "ContentUri": "s3://artifacts/key",
    "Location": "https://s3.us-east-1.amazonaws.com/artifacts/key",
}

NO_MANAGED_POLICIES: dict[str, str] = {}
"""The account's managed policies by name, which are asked of IAM elsewhere: none is named."""


def source() -> dict[str, Any]:
    """Return the template as it is written, with short tags in their long form."""
    return cast(dict[str, Any], load(TEMPLATE.read_text()))


def transform(template: dict[str, Any], **parameters: str) -> dict[str, Any]:
    """Apply SAM's transform to a template, for values of parameters that it reads."""
    for resource in template["Resources"].values():
        for location in UPLOADED.keys() & resource.get("Properties", {}).keys():
            if not str(resource["Properties"][location]).startswith("s3:"):
                resource["Properties"][location] = UPLOADED[location]
    session = Session(region_name="us-east-1")
    translator = Translator(NO_MANAGED_POLICIES, Parser(), boto_session=session)
    return cast(dict[str, Any], translator.translate(template, parameter_values=parameters))


@cache
def transformed(**parameters: str) -> dict[str, Any]:
    """Return the project's template with SAM's transform applied."""
    return transform(source(), **parameters)


if __name__ == "__main__":
    given = dict(one.split("=", 1) for one in sys.argv[1:])
    print(json.dumps(transformed(**given), indent=1))
