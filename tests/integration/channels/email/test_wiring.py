"""A template of an email that went wrong."""

import shutil
from pathlib import Path

from local.provider import Running
from tests.functions import environment, run_functions
from tests.sending import channel_body


def test_a_template_that_went_wrong_after_its_routes_were_stored_is_a_failure_in_words(
    database_url: str, provider: Running, catalog_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "catalog"
    shutil.copytree(catalog_folder, folder)
    values = environment(database_url, provider.url, folder, INLINE_ROUTES="0")
    with run_functions(values) as functions:
        stored = functions.post(channel_body()).body
    (folder / "templates/account-password_reset/body.txt").write_text("{{ first_name")
    with run_functions(values) as functions:
        assert functions.dispatch()["retrying"] == 1
        (route,) = functions.call("GET", f"/notifications/{stored['notification_id']}").body[
            "routes"
        ]
    assert route["last_error"].startswith("templates/account-password_reset/body.txt: line 1")
    assert provider.provider.ledger.attempts == []
