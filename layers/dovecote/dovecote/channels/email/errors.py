"""What each error of SES means; the first row that matches decides."""

from collections.abc import Sequence

from dovecote.channels.provider_errors import (
    ACCOUNT_WORDS,
    INPUT,
    MODEL,
    SHARED,
    THROTTLES,
    Meaning,
    Rule,
)

_TROUBLE = "SES developer guide, troubleshoot-error-messages"

_CONTENT = ("MessageRejected", "MESSAGE_REJECTED")

RULES: Sequence[Rule] = (
    # Words that mean the same under any code.
    Rule(
        words=r"(email )?sending (is |has been )?(paused|suspended|disabled) for "
        r"(this |your |the )?(aws |amazon ses |ses )?account",
        meaning=Meaning.ACCOUNT,
        text="Sending paused for this account",
        source="GoodDollar/GoodServer issue 419: MessageRejected from SES",
    ),
    ACCOUNT_WORDS,
    Rule(
        words=r"(email )?sending (is |has been )?(paused|suspended|disabled) for "
        r"(this |your |the )?configuration set",
        meaning=Meaning.RESOURCE,
        text="Sending paused for the configuration set",
        source="SES API v1, ConfigurationSetSendingPausedException",
    ),
    Rule(
        words=r"(the )?configuration set .{0,200}(does not exist|doesn't exist|not found)",
        meaning=Meaning.RESOURCE,
        text="The configuration set does not exist",
        source="Notifuse/notifuse issue 162; SES developer guide: a deleted default configuration "
        "set of an identity is answered with a bad request",
    ),
    Rule(
        words=r"(the )?(sending ?pool|dedicated ip pool|ip pool) .{0,200}"
        r"(does not exist|doesn't exist|not found)",
        meaning=Meaning.RESOURCE,
        text="The IP pool does not exist",
        source="aws-cloudformation/rain issue 271",
    ),
    Rule(
        words=r"(email address|address|domain|email identity|identity|sender)(es)? "
        r"(is|are|has|have) (not|n't) (been )?verified",
        meaning=Meaning.IDENTITIES,
        text="Email address is not verified",
        source=f"{_TROUBLE}: in the sandbox SES lists recipients too",
    ),
    Rule(
        words=r"(mail from|mail-from|custom mail from|sending) domain [^:]*not (been )?verified",
        meaning=Meaning.RESOURCE,
        text="The MAIL FROM domain is not verified",
        source=f"{MODEL}: MailFromDomainNotVerifiedException",
    ),
    # SES refuses the content of one message, or an address.
    Rule(
        codes=_CONTENT,
        words=r"[^:@<]{0,80}\b(virus|malware|malicious|bad content|invalid content)\b",
        meaning=Meaning.MESSAGE,
        text="The content is refused",
        source=f"{MODEL}: BulkEmailStatus, MESSAGE_REJECTED",
    ),
    Rule(
        codes=(*_CONTENT, *INPUT),
        words=r"(illegal address|missing final '@domain'|missing domain|invalid domain name"
        r"|missing local name|domain (contains|starts|ends)|local (address|name) (contains|starts"
        r"|ends)|address (is )?(blacklisted|too long)|invalid (email )?address)",
        meaning=Meaning.MESSAGE,
        text="The address is not valid",
        source="brave/accounts issue 35, monde-sistemas/delphi-aws-ses issue 22, "
        "anymail/django-anymail issue 281",
    ),
    Rule(
        codes=_CONTENT,
        meaning=Meaning.RETRY,
        source="SES uses the code for conditions of the account and for content. Retrying content "
        "costs a few refused calls; giving up on a condition would dead-letter a whole backlog",
    ),
    Rule(
        codes=("NotFoundException", "CONFIGURATION_SET_NOT_FOUND"),
        meaning=Meaning.RESOURCE,
        source=f"{MODEL}. A send names nothing that can be missing but the configuration set, "
        "and no message is to blame for it",
    ),
    Rule(
        codes=("TEMPLATE_NOT_FOUND",),
        meaning=Meaning.MESSAGE,
        source=f"{MODEL}. Dovecote sends inline templates only",
    ),
    Rule(
        codes=(
            "INVALID_SENDING_POOL_NAME",
            "MAIL_FROM_DOMAIN_NOT_VERIFIED",
            "MailFromDomainNotVerifiedException",
            "CONFIGURATION_SET_SENDING_PAUSED",
            "ConfigurationSetDoesNotExist",
            "ConfigurationSetSendingPausedException",
        ),
        meaning=Meaning.RESOURCE,
        source=f"{MODEL}: the sender's domain, or the configuration set, which can be the default "
        "of one identity",
    ),
    # Whether the account can send at all.
    Rule(
        codes=(
            "ACCOUNT_DAILY_QUOTA_EXCEEDED",
            "ACCOUNT_SENDING_PAUSED",
            "ACCOUNT_SUSPENDED",
            "AccountSendingPausedException",
            "AccountSuspendedException",
            "LimitExceededException",
            "SendingPausedException",
        ),
        meaning=Meaning.ACCOUNT,
        source=f"{MODEL}: sending is paused or suspended, or a quota of the account is used up",
    ),
    # How fast, and how much.
    Rule(
        codes=THROTTLES,
        words=r"(daily (message|sending)|.*\bquota)\b",
        meaning=Meaning.ACCOUNT,
        text="Daily message quota exceeded",
        source="SES developer guide, manage-sending-quotas-errors: one code for both quotas",
    ),
    Rule(
        codes=THROTTLES,
        words=r"maximum sending rate exceeded",
        meaning=Meaning.THROTTLED,
        text="Maximum sending rate exceeded",
        source="SES developer guide, manage-sending-quotas-errors",
    ),
    # Nothing is known but that the entry or the request failed.
    Rule(
        codes=("FAILED", "TRANSIENT_FAILURE"),
        meaning=Meaning.RETRY,
        source=f"{MODEL}: BulkEmailStatus; the entry was not sent",
    ),
    *SHARED,
)
