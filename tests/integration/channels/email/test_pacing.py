"""Emails leave at the rate of the setting, or of the account as SES says it."""

from pathlib import Path

from local.provider import Running
from tests.functions import environment, run_functions
from tests.sending import channel_body
from tests.store import Store


def test_emails_leave_no_faster_than_the_rate_says(
    database_url: str, provider: Running, catalog_folder: Path
) -> None:
    values = environment(
        database_url, provider.url, catalog_folder, EMAIL_MAX_PER_SECOND="20", INLINE_ROUTES="0"
    )
    with run_functions(values) as functions:
        recipients = [{"email": f"success+{n}@simulator.amazonses.com"} for n in range(15)]
        functions.post(channel_body("email", recipients=recipients))
        assert functions.dispatch()["published"] == 15
    times = sorted(row.time for row in provider.provider.ledger.accepted)
    assert times[-1] - times[0] >= 14 * 0.05 / 2  # the first may have been late


def test_the_rate_of_the_account_is_the_one_that_ses_says(
    database_url: str, provider: Running, catalog_folder: Path, store: Store
) -> None:
    with run_functions(environment(database_url, provider.url, catalog_folder)) as functions:
        functions.dispatch()
    assert store.channel_state("email").rate is not None
    assert not store.channel_state("email").rate_is_old
