"""The one place that makes clients and signs requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, NoRegionError

from operate.aws import Answer, Aws
from operate.samconfig import Section

SECTION = Section(
    environment="dev", stack_name="dovecote-dev", region="eu-west-1", profile=None, parameters={}
)


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-a-session")


@contextmanager
def serving(seen: list[dict[str, str]]) -> Iterator[str]:
    """Serve 404s over HTTP, and keep the headers of each request."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(404)
            self.send_header("content-length", "4")
            self.end_headers()
            self.wfile.write(b"gone")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_client_is_of_the_sections_region_whatever_the_environment_says(
    signed_in: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    aws = Aws(SECTION)
    assert aws.client("sns").meta.region_name == "eu-west-1"
    assert aws.client("sns") is aws.client("sns")


def test_a_section_without_a_region_is_in_that_of_the_environment(
    signed_in: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert Aws(replace(SECTION, region=None)).region == "us-east-1"


def test_where_nothing_names_a_region_nothing_is_signed(
    signed_in: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(NoRegionError):
        Aws(replace(SECTION, region=None)).send("GET", "https://example.com")


def test_a_get_is_signed_for_the_api_of_the_region(
    signed_in: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    seen: list[dict[str, str]] = []
    with serving(seen) as url:
        answer = Aws(SECTION).send("GET", f"{url}/notifications/1")
    assert answer == Answer(status=404, body=b"gone")
    (headers,) = seen
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/")
    assert "/eu-west-1/execute-api/aws4_request" in headers["authorization"]
    assert headers["x-amz-security-token"] == "of-a-session"
    assert "example" not in headers["authorization"].lower().replace("akiaexample", "")


def test_nobody_signs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(NoCredentialsError):
        Aws(SECTION).send("GET", "https://example.com")


def test_an_api_that_cannot_be_reached_is_botocores_error(signed_in: None) -> None:
    with pytest.raises(EndpointConnectionError):
        Aws(SECTION).send("GET", "http://127.0.0.1:1/notifications/1")
