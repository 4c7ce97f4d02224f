"""Plain addresses are taken as email-validator takes them, without loading it."""

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from dovecote.core.parsing import addresses


def validated(address: str) -> str | None:
    """Return what email-validator makes of an address."""
    try:
        return validate_email(
            address, allow_smtputf8=False, check_deliverability=False, strict=True
        ).ascii_email
    except EmailNotValidError:
        return None


NAMES = st.from_regex(r"[a-z0-9]{1,5}([._+-][a-z0-9]{1,5}){0,2}", fullmatch=True)
DOMAINS = st.from_regex(r"([a-z0-9]{1,4}(-[a-z0-9]{1,4})?\.){1,3}[a-z]{2,5}", fullmatch=True)
ALMOST = st.text("aZ0.-_+@", min_size=1, max_size=8)


@given(NAMES, DOMAINS)
@example("postmaster", "example.com")
@example("a" * 64, "example.com")
@example("a", "1.co")
@example("success+ann", "simulator.amazonses.com")
def test_a_plain_address_is_what_email_validator_returns_as_it_is(name: str, domain: str) -> None:
    address = f"{name}@{domain}"
    assert addresses._PLAIN.match(address)
    assert validated(address) == address


@given(ALMOST, ALMOST)
@example("a", "example.com\n")
@example("a.", "example.com")
@example("a", "xn--80ak6aa92e.com")
@example("a", "ab--cd.com")
@example("ann", "example.COM")
@example("INFO", "example.com")
@example("a" * 65, "example.com")
@example("a", f"{'a.' * 130}com")
def test_what_only_looks_plain_is_taken_no_more_than_by_email_validator(
    name: str, domain: str
) -> None:
    address = f"{name}@{domain}"
    if addresses._PLAIN.match(address):
        assert validated(address) == address


def test_reserved_domains_are_not_plain() -> None:
    for domain in SPECIAL_USE_DOMAIN_NAMES:
        assert not addresses._PLAIN.match(f"ann@{domain}")
        assert not addresses._PLAIN.match(f"ann@mail.{domain}")
