"""Start ministack, mended where it would refuse what AWS takes.

Run by the python of .venv-emulator. An alarm of several metrics and the DKIM records of an identity
are stood for by placeholders, which nothing in the test works with: without them the template would
be refused, or need a condition for the test's sake.

It also answers at CONNECT whether IAM lets a database's client in: ministack asks that of MySQL
alone.
"""

import json
import time
from collections.abc import Callable
from email.utils import parseaddr
from typing import Any

from ministack import app
from ministack.core import responses
from ministack.core.iam_evaluator import EvalContext, evaluate, resolve_principal
from ministack.core.rds_iam import RdsIamTokenError, verify_rds_iam_token
from ministack.services import sts
from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks

CONNECT = "/_dovecote/rds-db-connect"
SESSION_SECONDS = 3600

# What a handler makes: the physical id, and the attributes for Fn::GetAtt.
Made = tuple[str, dict[str, str]]

# The CNAMEs that a domain's owner publishes.
DKIM = {
    f"DkimDNSToken{part}{number}": f"token{number}.{part.lower()}.example"
    for number in (1, 2, 3)
    for part in ("Name", "Value")
}


def mend() -> None:
    """Put what mends ministack where it looks for what it does."""
    makers = provisioners._RESOURCE_HANDLERS
    identity, alarm = makers["AWS::SES::EmailIdentity"], makers["AWS::CloudWatch::Alarm"]
    for deed, properties in {"create": 1, "update": 2}.items():
        identity[deed] = _with_dkim(identity[deed])
        alarm[deed] = _with_metric_math(alarm[deed], properties)
    conditions = _with_texts(engine._evaluate_conditions)
    for module in (engine, changesets, handlers, stacks):
        module._evaluate_conditions = conditions
    app._enforce_ses_v2 = _with_sender(app._enforce_ses_v2)
    sts.register_session = _with_an_end(sts.register_session)
    app.app = _with_connect(app.app)


def _with_dkim(make: Callable[..., Made]) -> Callable[..., Made]:
    def made(*arguments: Any, **named: Any) -> Made:
        identity, attributes = make(*arguments, **named)
        return identity, {**DKIM, **attributes}

    return made


def _with_metric_math(make: Callable[..., Made], properties: int) -> Callable[..., Made]:
    """Make an alarm of several metrics one of its first: none is measured here."""

    def made(*arguments: Any, **named: Any) -> Made:
        given = list(arguments)
        given[properties] = _of_one_metric(given[properties])
        return make(*given, **named)

    return made


def _of_one_metric(alarm: dict[str, Any]) -> dict[str, Any]:
    queries = alarm.get("Metrics")
    if not queries:
        return alarm
    measured = next(query["MetricStat"] for query in queries if "MetricStat" in query)
    kept = {name: value for name, value in alarm.items() if name != "Metrics"}
    return {**measured["Metric"], "Period": measured["Period"], "Statistic": "Sum", **kept}


def _with_texts(evaluate: Callable[..., dict[str, bool]]) -> Callable[..., dict[str, bool]]:
    """Put texts together and apart in Conditions; ministack compares the functions themselves."""

    def evaluated(template: dict[str, Any], parameters: dict[str, Any]) -> dict[str, bool]:
        values = {name: parameter["Value"] for name, parameter in parameters.items()}
        conditions = _resolved(template.get("Conditions", {}), values)
        return evaluate({**template, "Conditions": conditions}, parameters)

    return evaluated


def _resolved(node: Any, values: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_resolved(one, values) for one in node]
    if not isinstance(node, dict):
        return node
    inner = {name: _resolved(value, values) for name, value in node.items()}
    match inner:
        case {"Ref": str(name)}:
            return values.get(name, name)
        case {"Fn::Split": [separator, text]}:
            return text.split(separator)
        case {"Fn::Join": [separator, texts]}:
            # A parameter that is a list is one text here.
            return separator.join(texts.split(",") if isinstance(texts, str) else texts)
    return inner


def _with_sender(enforce: Callable[..., Any]) -> Callable[..., Any]:
    """Ask IAM about a mail as AWS does: by its sender, and by each resource that it goes by."""

    def enforced(
        method: str, path: str, headers: Any, body: bytes, query: Any, request_id: str
    ) -> Any:
        if (method, path) != ("POST", "/v2/email/outbound-emails"):
            return enforce(method, path, headers, body, query, request_id)
        mail = json.loads(body)
        sender = parseaddr(mail["FromEmailAddress"])[1]
        used = [f"identity/{sender.rpartition('@')[2]}"]
        if name := mail.get("ConfigurationSetName"):
            used.append(f"configuration-set/{name}")
        scope = f"arn:aws:ses:{responses.get_region()}:{responses.get_account_id()}"
        for resource in used:
            denied = app._enforce_data_plane(
                "sesv2",
                "ses:SendEmail",
                headers,
                query,
                request_id,
                resource_arn=f"{scope}:{resource}",
                service_context={"ses:FromAddress": sender},
                named_resource=f"{scope}:{resource}",
            )
            if denied:
                return denied
        return None

    return enforced


def _with_an_end(register: Callable[..., None]) -> Callable[..., None]:
    """Let the credentials of functions end some day; without that no database takes them."""

    def registered(key: str, session: dict[str, Any]) -> None:
        register(key, {"Expiration": time.time() + SESSION_SECONDS, **session})

    return registered


def _with_connect(serve: Callable[..., Any]) -> Callable[..., Any]:
    async def served(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope.get("path") != CONNECT:
            await serve(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        refusal = _refusal(**json.loads(body))
        await send({"type": "http.response.start", "status": 403 if refusal else 200})
        await send({"type": "http.response.body", "body": refusal.encode()})

    return served


def _refusal(
    *, token: str, host: str, port: int, user: str, resource_id: str, region: str, account: str
) -> str:
    """Return why IAM does not let a user connect with a token, "" where it does."""
    verified = verify_rds_iam_token(
        token, hostname=host, port=port, db_user=user, region=region, account_id=account
    )
    if isinstance(verified, RdsIamTokenError):
        return verified.code
    resource = f"arn:aws:rds-db:{region}:{account}:dbuser:{resource_id}/{user}"
    with responses.request_scope(account, region):
        principal = resolve_principal(verified.access_key_id, account)
        asked = EvalContext(
            principal_arn=principal.arn,
            principal_type=principal.type,
            principal_account=account,
            action="rds-db:connect",
            resource_arn=resource,
            region=region,
            principal_keys=principal.keys,
        )
        decision = evaluate(asked, principal.policies, *principal.limits).decision
    return "" if decision == "Allow" else f"{principal.arn} may not connect to {resource}"


if __name__ == "__main__":
    mend()
    app.main()
