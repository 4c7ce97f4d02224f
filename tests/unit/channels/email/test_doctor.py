"""The doctor's checks of SES, one after the other."""

from operate.doctor import checks, examine
from tests.unit.operate.sites import StubbedAws, a_site, lines


def test_an_action_that_is_not_allowed_hides_no_other_check(aws: StubbedAws) -> None:
    aws.refuses("sesv2", "get_account", "AccessDeniedException")
    aws.answers(
        "sesv2",
        "get_email_identity",
        {"IdentityType": "EMAIL_ADDRESS", "VerifiedForSendingStatus": True},
    )
    parameters = {"EmailIdentity": "a@example.com", "CreateEmailIdentity": "no"}
    emails = [check for check in checks() if check.name in {"SES's account", "SES's identity"}]
    said = lines(examine(a_site(aws, **parameters), emails))
    assert said[0].startswith("!!  SES's account: not allowed: GetAccount — allow GetAccount")
    assert said[1] == "ok  SES: a@example.com may send, DKIM NOT_STARTED"
