"""What a template says of a payload is what an email shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.provider import Running
from tests.catalogs import texts_of, write_catalog
from tests.functions import Functions, environment, run_functions
from tests.integration.test_template_faults import KINDS, SUBJECT, TEXT, body

UNSUBSCRIBE = "    unsubscribe_url: https://shop.example/u?o={{ order.token|default('x') }}\n"


@pytest.fixture
def wired(database_url: str, provider: Running, tmp_path: Path) -> Iterator[Functions]:
    catalog = write_catalog(tmp_path, KINDS, **texts_of("email", SUBJECT, TEXT))
    with (catalog / "kinds.yaml").open("a") as kinds:
        kinds.write(UNSUBSCRIBE)
    with run_functions(environment(database_url, provider.url, catalog)) as found:
        yield found


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (10.5, "Free delivery 12.6 true"),
        (9.99, "Free delivery 11.988 true"),
        (9.98, "Delivery 5.00 11.976 true"),
        (10, "Free delivery 12.0 true"),
        (1.0e7, "Free delivery 12000000.0 true"),
    ],
)
def test_what_is_sent_is_json(
    wired: Functions, provider: Running, total: float, expected: str
) -> None:
    assert wired.post(body("good", total=total)).status == 202
    (mail,) = provider.provider.ledger.accepted
    assert f"{expected} no coupon 2 for 1" in str(mail)
