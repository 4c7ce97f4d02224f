"""What each error of SNS means; the first row that matches decides."""

from collections.abc import Sequence

from dovecote.channels.provider_errors import ACCOUNT_WORDS, INPUT, MODEL, SHARED, Meaning, Rule

RULES: Sequence[Rule] = (
    ACCOUNT_WORDS,
    # SNS refuses a parameter: the endpoint, the topic, or the message.
    Rule(
        codes=(*INPUT, "NotFound", "NotFoundException"),
        words=r"(invalid parameter: )?(targetarn reason: )?(no (platform )?endpoint (was )?found\b"
        r"|(the |this |platform )*endpoint\b(?![^.;]*\bapplication\b)[^.;]*\b(not exist|not found"
        r"|not be found|no longer exists|deleted)\b)",
        meaning=Meaning.TARGET,
        text="The endpoint does not exist",
        source="LocalStack's SNS provider quotes the message of AWS",
    ),
    Rule(
        codes=(*INPUT, "NotFound", "NotFoundException"),
        words=r"(invalid parameter: )?((topicarn|platformapplicationarn)\b"
        r"|(no |the )?(topic|platform ?application) "
        r"(does not exist|doesn't exist|(was |is )?(not )?found))",
        meaning=Meaning.RESOURCE,
        text="The topic or platform application does not exist",
        source="LocalStack's SNS provider quotes the message of AWS",
    ),
    Rule(
        codes=INPUT,
        words=r"(invalid parameter: )?(message too long|message reason|invalid message header)",
        meaning=Meaning.MESSAGE,
        text="The message is not valid",
        source="SNS API reference, Publish: 256 KB",
    ),
    # What a send goes through is missing.
    Rule(
        codes=("NotFound",),
        meaning=Meaning.TARGET,
        source=f"{MODEL}, SNS Publish: the endpoint or topic. A dead device registers again at "
        "its next start",
    ),
    Rule(
        codes=("NotFoundException",),
        meaning=Meaning.RESOURCE,
        source=f"{MODEL} spells the code NotFound. A pause loses no message",
    ),
    Rule(
        codes=("EndpointDisabled", "EndpointDisabledException"),
        meaning=Meaning.TARGET,
        text="The endpoint is disabled",
        source=f"{MODEL}, SNS Publish",
    ),
    Rule(
        codes=(
            "FilterPolicyLimitExceeded",
            "KMSAccessDenied",
            "KMSDisabled",
            "KMSInvalidState",
            "KMSNotFound",
            "KMSOptInRequired",
            "PlatformApplicationDisabled",
            "PlatformApplicationDisabledException",
        ),
        meaning=Meaning.RESOURCE,
        source=f"{MODEL}, SNS Publish: keys, policies and credentials of the topic or application",
    ),
    *SHARED,
)
