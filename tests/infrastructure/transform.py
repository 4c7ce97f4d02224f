"""Print template.yaml as CloudFormation gets it: with SAM's transform applied, offline, as JSON.

sam's own lint does not see what the transform makes, and misses fatal errors in it.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, cast

from boto3 import Session
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from local.intrinsic import load

TEMPLATE = Path(__file__).parents[2] / "template.yaml"

# Stands for what sam package uploads; the translator takes no local path.
UPLOADED = "s3://artifacts/key"

NO_MANAGED_POLICIES: dict[str, str] = {}
"""The account's managed policies by name, which are asked of IAM elsewhere: none is named."""


def source() -> dict[str, Any]:
    """Return the template as it is written, with short tags in their long form."""
    return cast(dict[str, Any], load(TEMPLATE.read_text()))


@cache
def transformed() -> dict[str, Any]:
    """Return the template with SAM's transform applied."""
    template = source()
    for resource in template["Resources"].values():
        for location in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
            resource["Properties"][location] = UPLOADED
    session = Session(region_name="us-east-1")
    translator = Translator(NO_MANAGED_POLICIES, Parser(), boto_session=session)
    return cast(dict[str, Any], translator.translate(template, parameter_values={}))


if __name__ == "__main__":
    print(json.dumps(transformed(), indent=1))
