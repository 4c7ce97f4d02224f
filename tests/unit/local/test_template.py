from pathlib import Path

import pytest

from local import LocalError
from local.schedule import period
from local.template import Route, read_template

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Sender: {Type: String, Default: shop@example.com}
  Applications: {Type: CommaDelimitedList, Default: ""}
  Stage: {Type: String, Default: test}
  TopicArn: {Type: String, Default: ""}
Conditions:
  InProduction: !Equals [!Ref Stage, production]
  HasTopic: !Not [!Equals [!Ref TopicArn, ""]]
Globals:
  Function:
    Handler: app.handler
    Timeout: 25
    MemorySize: 256
    Layers: [!Ref CoreLayer]
    Environment:
      Variables:
        EMAIL_FROM: !Ref Sender
        STAGE: !Ref Stage
        APPLICATIONS: !Join [",", !Ref Applications]
        TOPIC: !If [HasTopic, !Ref TopicArn, ""]
        ABSENT: !If [InProduction, there, !Ref "AWS::NoValue"]
        DEBUG: true
        DISPATCHER: !GetAtt DispatchFunction.Arn
        URL: !Sub "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${!literal}"
Resources:
  Api: {Type: "AWS::Serverless::HttpApi"}
  CoreLayer: {Type: "AWS::Serverless::LayerVersion", Properties: {ContentUri: layers/core}}
  SubmitFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/submit
      Environment: {Variables: {STAGE: mine}}
      Events:
        Submit: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /notes, Method: post}}
  DispatchFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/dispatch
      Timeout: 90
      Policies: [{Version: 2012-10-17, Statement: !Transform {Name: x}}]
      Events:
        EveryMinute:
          Type: ScheduleV2
          Properties: {ScheduleExpression: rate(1 minute), Input: '{"source": "schedule"}'}
        Never:
          Type: ScheduleV2
          Properties: {ScheduleExpression: rate(1 day), State: DISABLED}
  ProductionOnly:
    Type: AWS::Serverless::Function
    Condition: InProduction
    Properties: {CodeUri: functions/production}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    return path


def test_a_function_takes_from_the_globals_what_it_does_not_say(path: Path) -> None:
    submit = read_template(path).functions["SubmitFunction"]

    assert (submit.handler, submit.timeout, submit.memory) == ("app.handler", 25, 256)
    assert submit.code == path.parent / "functions/submit"
    assert submit.layers == (path.parent / "layers/core",)
    assert submit.arn == "arn:aws:lambda:us-east-1:123456789012:function:SubmitFunction"


def test_a_function_overrides_the_globals(path: Path) -> None:
    functions = read_template(path).functions

    assert functions["DispatchFunction"].timeout == 90
    assert functions["SubmitFunction"].environment["STAGE"] == "mine"
    assert functions["DispatchFunction"].environment["STAGE"] == "test"


def test_the_environment_is_resolved_to_text(path: Path) -> None:
    environment = read_template(path).functions["DispatchFunction"].environment

    assert environment == {
        "EMAIL_FROM": "shop@example.com",
        "STAGE": "test",
        "APPLICATIONS": "",
        "TOPIC": "",
        "DEBUG": "true",
        "DISPATCHER": "arn:aws:lambda:us-east-1:123456789012:function:DispatchFunction",
        "URL": "https://Api.execute-api.us-east-1.amazonaws.com/${literal}",
    }


def test_parameters_change_values_and_conditions(path: Path) -> None:
    parameters = {"Stage": "production", "TopicArn": "arn:topic", "Applications": "a,b"}

    template = read_template(path, parameters)

    environment = template.functions["DispatchFunction"].environment
    assert environment["ABSENT"] == "there"
    assert environment["TOPIC"] == "arn:topic"
    assert environment["APPLICATIONS"] == "a,b"
    assert "ProductionOnly" in template.functions


def test_a_resource_whose_condition_does_not_hold_is_absent(path: Path) -> None:
    assert "ProductionOnly" not in read_template(path).functions


def test_routes_name_method_path_and_function(path: Path) -> None:
    assert read_template(path).routes == (
        Route(method="POST", path="/notes", function="SubmitFunction"),
    )


def test_a_disabled_schedule_is_absent(path: Path) -> None:
    (schedule,) = read_template(path).schedules

    assert (schedule.name, schedule.function) == ("EveryMinute", "DispatchFunction")
    assert schedule.input == '{"source": "schedule"}'
    assert period(schedule.expression) == 60


def test_a_parameter_that_the_template_lacks_is_an_error(path: Path) -> None:
    with pytest.raises(LocalError, match="no parameter Colour"):
        read_template(path, {"Colour": "red"})


def test_a_parameter_without_a_value_is_an_error(path: Path) -> None:
    path.write_text(TEMPLATE.replace("{Type: String, Default: test}", "{Type: String}"))

    with pytest.raises(LocalError, match="parameter Stage has no default"):
        read_template(path)


def test_a_reference_to_nothing_is_an_error(path: Path) -> None:
    path.write_text(TEMPLATE.replace("EMAIL_FROM: !Ref Sender", "EMAIL_FROM: !Ref Nobody"))

    with pytest.raises(LocalError, match="Ref to Nobody"):
        read_template(path)


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200)],
)
def test_a_rate_is_a_period(expression: str, seconds: float) -> None:
    assert period(expression) == seconds


def test_a_schedule_that_is_no_rate_is_an_error() -> None:
    with pytest.raises(LocalError, match="rate"):
        period("cron(0 8 * * ? *)")


NESTED = """
Parameters:
  Stack: {Type: String}
  Set: {Type: String}
Conditions:
  New: !Equals [!Ref Set, ""]
Resources:
  ConfigurationSet: {Type: "AWS::SES::ConfigurationSet", Properties: {Name: !Ref Stack}}
Outputs:
  Set: {Value: !If [New, !Ref ConfigurationSet, !Ref Set]}
  Again: {Value: !Sub "${Stack}/${ConfigurationSet}"}
"""


@pytest.mark.parametrize(
    ("output", "given", "value"),
    [
        ("Set", "", "ConfigurationSet"),
        ("Set", "main", "main"),
        ("Again", "", "dovecote/ConfigurationSet"),
    ],
)
def test_an_output_of_a_nested_stack_is_resolved(
    path: Path, output: str, given: str, value: str
) -> None:
    nested = path.parent / "nested.yaml"
    nested.write_text(NESTED)
    stack = f"""
  Email:
    Type: AWS::Serverless::Application
    Properties:
      Location: nested.yaml
      Parameters: {{Stack: !Ref "AWS::StackName", Set: "{given}"}}
"""
    text = TEMPLATE.replace("DEBUG: true", f"SET: !GetAtt Email.Outputs.{output}")
    path.write_text(text.rstrip() + stack)
    environment = read_template(path).functions["DispatchFunction"].environment
    assert environment["SET"] == value
