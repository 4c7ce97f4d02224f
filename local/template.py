"""What the SAM template says of functions and what starts them, with its values resolved."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from local import ACCOUNT, REGION, LocalError
from local.intrinsic import NO_VALUE, Resolver, given_parameters, load, text

STACK = "dovecote"
FUNCTION = "AWS::Serverless::Function"
QUEUE = "AWS::SQS::Queue"
SCHEMA = "Custom::Schema"
NESTED_STACK = "AWS::Serverless::Application"
LOCAL_SECRET = "no secret: the same on every machine"  # noqa: S105
PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::NoValue": NO_VALUE,
    "AWS::NotificationARNs": [],
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/local",
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}


@dataclass(frozen=True, kw_only=True)
class Function:
    """One Lambda function."""

    id: str  # its name in the template
    name: str  # what it is invoked by
    arn: str
    code: Path
    handler: str
    timeout: int  # seconds
    memory: int  # MiB
    environment: Mapping[str, str]
    layers: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One route of the HTTP API."""

    method: str  # or ANY
    path: str  # /notifications/{notification_id}, /files/{path+}
    function: str


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One schedule of EventBridge Scheduler."""

    name: str
    function: str
    expression: str
    input: str  # JSON


@dataclass(frozen=True, kw_only=True)
class Queue:
    """One queue of SQS."""

    id: str  # its name in the template
    name: str
    arn: str
    url: str
    max_receives: int | None  # after so many a message is dead; None: never
    fed: bool  # a rule of EventBridge puts events into it


@dataclass(frozen=True, kw_only=True)
class Source:
    """A queue that a function gets messages from."""

    queue: Queue
    function: str
    batch_size: int


@dataclass(frozen=True, kw_only=True)
class Template:
    """All that the local stack runs."""

    functions: Mapping[str, Function]  # by their name in the template
    routes: tuple[Route, ...]
    schedules: tuple[Schedule, ...]
    sources: tuple[Source, ...]
    users: Mapping[str, str]  # of the database, by what the schema calls their functions


_read = cache(load)


def read_template(path: Path, parameters: Mapping[str, str] = MappingProxyType({})) -> Template:
    """Read a template; raises LocalError where a value it needs cannot be resolved."""
    document = _read(path.read_text())
    return _Reader(document, path.parent, parameters).template()


class _Reader:
    def __init__(
        self, document: dict[str, Any], directory: Path, parameters: Mapping[str, str]
    ) -> None:
        self._directory = directory
        self._document = document
        self._resources: dict[str, dict[str, Any]] = document.get("Resources", {})
        self._globals: dict[str, Any] = document.get("Globals", {}).get("Function", {})
        given = given_parameters(document.get("Parameters", {}), parameters)
        references = {**PSEUDO_PARAMETERS, **given}
        self._resolver = Resolver(
            references=references,
            attributes=self._attribute,
            conditions=document.get("Conditions", {}),
            mappings=document.get("Mappings", {}),
        )
        # A name is made of parameters alone.
        names = {name: self._physical(name) for name in self._resources}
        # SAM's word for the alias of a function, which has one version here.
        references |= names | {f"{name}.Alias": physical for name, physical in names.items()}

    def template(self) -> Template:
        functions = {
            logical_id: self._function(logical_id) for logical_id in self._of_type(FUNCTION)
        }
        events = [event for logical_id in functions for event in self._events(logical_id)]
        return Template(
            functions=MappingProxyType(functions),
            routes=tuple(event for event in events if isinstance(event, Route)),
            schedules=tuple(event for event in events if isinstance(event, Schedule)),
            sources=tuple(self._sources(functions.values())),
            users=MappingProxyType(self._users()),
        )

    def _of_type(self, kind: str) -> Iterator[str]:
        for logical_id, resource in self._resources.items():
            condition = resource.get("Condition")
            if resource["Type"] == kind and (
                condition is None or self._resolver.condition(condition)
            ):
                yield logical_id

    def _function(self, logical_id: str) -> Function:
        own = self._resources[logical_id]["Properties"]
        name = self._physical(logical_id)
        return Function(
            id=logical_id,
            name=name,
            arn=_function_arn(name),
            code=self._directory / self._property(own, "CodeUri", "."),
            handler=str(self._property(own, "Handler")),
            timeout=int(self._property(own, "Timeout", 3)),
            memory=int(self._property(own, "MemorySize", 128)),
            environment=MappingProxyType(self._environment(own)),
            layers=tuple(self._layers(own)),
        )

    def _property(self, own: Mapping[str, Any], name: str, default: Any = None) -> Any:
        value = self._resolver.value(own.get(name, self._globals.get(name, default)))
        if value is NO_VALUE or value is None:
            raise LocalError(f"a function has no {name}")
        return value

    def _environment(self, own: Mapping[str, Any]) -> dict[str, str]:
        both = [
            self._resolver.value(properties.get("Environment", {})).get("Variables", {})
            for properties in (self._globals, own)
        ]
        pairs = (pair for variables in both for pair in variables.items())
        return {name: LOCAL_SECRET if _is_secret(value) else text(value) for name, value in pairs}

    def _layers(self, own: Mapping[str, Any]) -> Iterator[Path]:
        for layer in [*self._globals.get("Layers", []), *own.get("Layers", [])]:
            logical_id = layer.get("Ref") if isinstance(layer, dict) else None
            if logical_id in self._resources:
                content = self._resources[logical_id]["Properties"]["ContentUri"]
                yield self._directory / self._resolver.value(content)

    def _events(self, logical_id: str) -> Iterator[Route | Schedule]:
        events = self._resources[logical_id]["Properties"].get("Events", {})
        for name, event in events.items():
            if event["Type"] == "HttpApi":
                yield self._route(logical_id, event.get("Properties", {}))
            elif event["Type"] == "ScheduleV2":
                properties = self._resolver.value(event["Properties"])
                if properties.get("State", "ENABLED") == "ENABLED":
                    yield _schedule(logical_id, name, properties)

    def _route(self, logical_id: str, properties: Mapping[str, Any]) -> Route:
        method = str(self._resolver.value(properties.get("Method", "ANY"))).upper()
        path = str(self._resolver.value(properties.get("Path", "/{proxy+}")))
        return Route(method=method, path=path, function=logical_id)

    def _sources(self, functions: Iterable[Function]) -> Iterator[Source]:
        ids = {alias: one.id for one in functions for alias in (one.id, one.name, one.arn)}
        queues = {queue.arn: queue for queue in map(self._queue, self._of_type(QUEUE))}
        for logical_id in self._of_type("AWS::Lambda::EventSourceMapping"):
            properties = self._properties(logical_id)
            queue = queues.get(properties["EventSourceArn"])
            if queue is None or not properties.get("Enabled", True):
                continue
            if properties["FunctionName"] not in ids:
                raise LocalError(f"{logical_id} is of no function of the template")
            yield Source(
                queue=queue,
                function=ids[properties["FunctionName"]],
                batch_size=int(properties.get("BatchSize", 10)),
            )

    def _users(self) -> dict[str, str]:
        return {
            function: str(self._resolver.value(name))
            for logical_id in self._of_type(SCHEMA)
            for function, name in self._resources[logical_id]["Properties"]["Users"].items()
        }

    def _queue(self, logical_id: str) -> Queue:
        own = self._properties(logical_id)
        receives = own.get("RedrivePolicy", {}).get("maxReceiveCount")
        return Queue(
            id=logical_id,
            name=str(own.get("QueueName", logical_id)),
            arn=_queue_arn(logical_id),
            url=self._physical(logical_id),
            max_receives=None if receives is None else int(receives),
            fed=_queue_arn(logical_id) in self._fed(),
        )

    def _fed(self) -> set[str]:
        """Return the ARNs that rules of EventBridge put events into."""
        rules = map(self._properties, self._of_type("AWS::Events::Rule"))
        return {target["Arn"] for rule in rules for target in rule["Targets"]}

    def _properties(self, logical_id: str) -> dict[str, Any]:
        """Return the properties of a resource, with their values resolved."""
        properties: dict[str, Any] = self._resolver.value(
            self._resources[logical_id].get("Properties", {})
        )
        return properties

    def _physical(self, logical_id: str) -> str:
        """Return what Ref gives: a function's name, a topic's ARN, a queue's URL, else the id."""
        resource = self._resources[logical_id]
        if resource["Type"] == "AWS::SNS::Topic":
            return f"arn:aws:sns:{REGION}:{ACCOUNT}:{logical_id}"
        if resource["Type"] == QUEUE:
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{logical_id}"
        if resource["Type"] == FUNCTION and "FunctionName" in resource["Properties"]:
            return str(self._resolver.value(resource["Properties"]["FunctionName"]))
        return logical_id

    def _output(self, logical_id: str, name: str) -> str:
        """Return an output of a nested stack."""
        own = self._properties(logical_id)
        path = self._directory / own["Location"]
        nested = _Reader(_read(path.read_text()), path.parent, own.get("Parameters", {}))
        return str(nested._resolver.value(nested._document["Outputs"][name]["Value"]))

    def _attribute(self, logical_id: str, attribute: str) -> str:
        if logical_id not in self._resources:
            raise LocalError(f"Fn::GetAtt of {logical_id}, which is no resource")
        kind = str(self._resources[logical_id]["Type"])
        if kind == NESTED_STACK:
            return self._output(logical_id, attribute.removeprefix("Outputs."))
        if (kind, attribute) == (FUNCTION, "Arn"):
            return _function_arn(self._physical(logical_id))
        if (kind, attribute) == (QUEUE, "Arn"):
            return _queue_arn(logical_id)
        service = kind.split("::")[1].lower()
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{logical_id}/{attribute}"


def _schedule(function: str, name: str, properties: Mapping[str, Any]) -> Schedule:
    given = properties.get("Input", "{}")
    return Schedule(
        name=name,
        function=function,
        expression=str(properties["ScheduleExpression"]),
        input=given if isinstance(given, str) else json.dumps(given),
    )


def _is_secret(value: Any) -> bool:
    """Return whether CloudFormation would replace a value with a secret."""
    return str(value).startswith("{{resolve:secretsmanager:")


def _function_arn(name: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def _queue_arn(logical_id: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{logical_id}"
