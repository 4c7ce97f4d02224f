"""The console of a deployed stack: who may use it, what it passes on, and how that is signed."""

import http.client
import json
import socket
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError

from dovecote import channels
from operate import ROOT
from operate.aws import Answer, Aws
from operate.cli.main import main
from operate.console.gallery import Gallery
from operate.samconfig import Section
from operate.site import Site
from tests.builders import CHANNEL
from tests.catalogs import checkout, texts_of, write_catalog
from tests.consoles import console
from tests.unit.operate.sites import REGION, StubbedAws, a_site, a_stack

NOTIFICATION = "/notifications/0192f6a0-0000-7000-8000-00000000000a"
REDRIVE = "/dead-letters/0192f6a0-0000-7000-8000-00000000000a/redrive"
CREDENTIALS = Credentials("AKIAEXAMPLE", "example", "of-a-session")


class Api:
    """An API of AWS's: it answers what is signed, with what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, str, bytes]] = []
        self.answers: list[tuple[int, dict[str, Any]]] = []

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
        self.asked.append((method, path, body))
        if not self._is_signed(method, path, headers, body):
            return 403, {"message": "The request signature we calculated does not match"}
        return self.answers.pop(0) if self.answers else (200, {"asked": path})

    def _is_signed(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bool:
        """Compute the signature as API Gateway does, from what came over the wire."""
        parts = dict(p.strip().split("=", 1) for p in headers["authorization"][16:].split(","))
        target = urlsplit(path)
        query = urlencode(sorted(parse_qsl(target.query, True)), quote_via=quote, safe="")
        signed = {name: headers[name] for name in parts["SignedHeaders"].split(";")}
        request = AWSRequest(method, f"{self.url}{target.path}?{query}", signed, body)
        request.context["timestamp"] = headers["x-amz-date"]
        signer = SigV4Auth(CREDENTIALS, "execute-api", REGION)
        told = signer.string_to_sign(request, signer.canonical_request(request))
        return parts["Signature"] == signer.signature(told, request)


@pytest.fixture
def api() -> Iterator[Api]:
    one = Api()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, document = one.answer(self.command, self.path, headers, body)
            raw = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - as http.server wants it

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        one.url = f"http://127.0.0.1:{server.server_port}"
        yield one
        server.shutdown()
        thread.join()


@pytest.fixture
def site(api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Site:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS.secret_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", str(CREDENTIALS.token))
    section = Section(
        environment="dev", stack_name="dovecote-dev", region=REGION, profile=None, parameters={}
    )
    site = a_site(Aws(section), stack=a_stack(ApiUrl=f"{api.url}/"))
    site.root = checkout(tmp_path / "checkout")
    return site


class Browser:
    """What asks the console, with the key of the printed address or without."""

    def __init__(self, address: str) -> None:
        self.address = urlsplit(address)
        self.key = ""

    def open(self) -> None:
        """Take the key from the fragment, as the page does."""
        name, _, self.key = self.address.fragment.partition("=")
        assert name == "key"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        connection = http.client.HTTPConnection(self.address.netloc, timeout=20)
        sent = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        raw = None if body is None else json.dumps(body)
        connection.request(method, path, raw, sent)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        assert "Set-Cookie" not in answer.headers
        try:
            return answer.status, answer.headers, json.loads(content)
        except ValueError:
            return answer.status, answer.headers, content


@pytest.fixture
def browser(site: Site) -> Iterator[Browser]:
    with console(site) as address:
        yield Browser(address)


# Who may.


FILES = ("/console", "/_console/static/console.js", "/_console/static/icon.svg")
DATA = ("/overview", "/_console/about", "/_console/templates", "/_console/templates/order.shipped")


def test_only_requests_with_the_key_are_answered(browser: Browser, api: Api) -> None:
    assert [browser.ask("GET", path)[0] for path in FILES] == [200] * 3
    for path in (*DATA, "/nothing", "/_console/static/../about", "/_console/static%2F..%2Fabout"):
        status, headers, problem = browser.ask("GET", path)
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer"), path
        assert "open the address that dovecote console printed" in problem["detail"]
    assert api.asked == []
    browser.open()
    assert [browser.ask("GET", path)[0] for path in (*FILES, *DATA)] == [200] * 7
    assert [path for _, path, _ in api.asked] == ["/overview"]


def test_a_key_counts_in_its_header_alone(browser: Browser, api: Api) -> None:
    key = browser.address.fragment.partition("=")[2]
    assert len(key) >= 43
    assert key not in f"{browser.address.path}{browser.address.query}"
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
    for given in (wrong, key[:-1], f"{key}A", key.lower(), f" {key}", "", "\u00e9", "\xff" * 43):
        assert browser.ask("GET", "/overview", Authorization=f"Bearer {given}")[0] == 401, given
    for header in (key, f"Basic {key}", f"Bearer{key}", "Bearer"):
        assert browser.ask("GET", "/overview", Authorization=header)[0] == 401, header
    assert browser.ask("GET", f"/overview?key={key}")[0] == 401
    assert browser.ask("GET", "/overview", Cookie=f"key={key}; dovecote-console={key}")[0] == 401
    assert browser.ask("POST", "/dead-letters/redrive", {"key": key})[0] == 401
    assert api.asked == []
    assert browser.ask("GET", "/overview", Authorization=f"bearer {key}")[0] == 200


def test_the_key_of_another_run_is_refused(browser: Browser, site: Site) -> None:
    browser.open()
    with console(site) as address:
        other = Browser(address)
        assert other.ask("GET", "/_console/about", Authorization=f"Bearer {browser.key}")[0] == 401


def test_what_comes_from_elsewhere_is_refused_though_it_has_the_key(
    browser: Browser, api: Api
) -> None:
    browser.open()
    redrive = "/dead-letters/redrive"
    for host in (
        "rebound.example", "rebound.example:80", "127.0.0.1.example", "localhost.example",
        "127.0.0.2", "[::2]", "localhost@rebound.example", "rebound.example@127.0.0.1",
        "host.docker.internal", "127.0.0.1:port", "localhost.", "",
    ):  # fmt: skip
        for path in ("/overview", "/console", "/_console/static/console.js"):
            assert browser.ask("GET", path, Host=host)[0] == 403, host
    for host in ("localhost:8484", "LOCALHOST", "[::1]:1", "127.0.0.1"):
        assert browser.ask("GET", "/console", Host=host)[0] == 200, host
    assert browser.ask("GET", "/overview", Origin="http://127.0.0.1:1")[0] == 403
    assert browser.ask("GET", "/console", Origin="null")[0] == 403
    assert browser.ask("POST", redrive, {}, Origin="https://evil.example")[0] == 403
    assert browser.ask("POST", redrive, {}, Origin="null")[0] == 403
    assert browser.ask("POST", redrive, {}, Sec_Fetch_Site="same-site")[0] == 403
    assert api.asked == []
    own = f"http://{browser.address.netloc}"
    assert browser.ask("POST", redrive, {}, Origin=own, Sec_Fetch_Site="same-origin")[0] == 200


def test_every_answer_says_that_nobody_keeps_it_and_that_no_script_is_inline(
    browser: Browser,
) -> None:
    browser.open()
    for path in ("/console", "/overview", "/_console/templates", "/nothing", "/console?x=y"):
        _, headers, _ = browser.ask("GET", path)
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'; script-src 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_it_listens_at_one_address_of_this_machine_alone(browser: Browser) -> None:
    assert browser.address.hostname == "127.0.0.1"
    # Linux has all of 127.0.0.0/8; elsewhere that address leads nowhere.
    with pytest.raises(ConnectionRefusedError if sys.platform == "linux" else OSError):
        socket.create_connection(("127.0.0.2", browser.address.port or 0), timeout=2)


# What is passed on.


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("GET", "/overview", "/overview"),
        ("GET", "/notifications?user_id=u%2F1+a%2Bb&limit=5",
         "/notifications?user_id=u%2F1%20a%2Bb&limit=5"),
        ("GET", "/notifications?kind=a.b&idempotency_key=it's(1)*~!",
         "/notifications?kind=a.b&idempotency_key=it%27s%281%29%2A~%21"),
        ("GET", NOTIFICATION, NOTIFICATION),
        ("GET", f"{NOTIFICATION}?email=a%40b.example", f"{NOTIFICATION}?email=a%40b.example"),
        ("GET", "/suppressions?email=o'hara%2Bx@b%C3%BCro.example",
         "/suppressions?email=o%27hara%2Bx%40b%C3%BCro.example"),
        ("GET", "/devices?user_id=a%2Fb+c%2525%26%3D", "/devices?user_id=a%2Fb%20c%2525%26%3D"),
        ("GET", "/devices?user_id=a&user_id=b,c", "/devices?user_id=a&user_id=b%2Cc"),
        ("GET", "/dead-letters?reason=attempts", "/dead-letters?reason=attempts"),
        ("GET", "/redrives?limit=5", "/redrives?limit=5"),
        ("POST", "/dead-letters/redrive", "/dead-letters/redrive"),
        ("POST", REDRIVE, REDRIVE),
    ],
)  # fmt: skip
def test_a_call_of_the_views_is_signed_and_passed_on(
    browser: Browser, api: Api, method: str, path: str, wanted: str
) -> None:
    browser.open()
    body = {"filter": {"kind": "grüße"}} if method == "POST" else None
    status, headers, answer = browser.ask(method, path, body)
    assert (status, answer) == (200, {"asked": wanted})
    assert headers["Content-Type"].startswith("application/json")
    sent = b"" if body is None else json.dumps(body).encode()
    assert api.asked == [(method, wanted, sent)]


def test_no_other_call_is_passed_on(browser: Browser, api: Api) -> None:
    browser.open()
    for method, path in (
        ("POST", "/notifications"),
        ("DELETE", NOTIFICATION),
        ("DELETE", "/users?user_id=u-1"),
        ("DELETE", "/recipients?email=a@b.example"),
        ("PUT", "/suppressions"),
        ("DELETE", "/suppressions?email=a@b.example"),
        ("PUT", "/devices"),
        ("DELETE", "/devices?user_id=u-1&device_session_id=d-1"),
        ("GET", "/openapi.json"),
        ("GET", "/notifications/a/b"),
        ("GET", "/notifications/.."),
        ("GET", "/notifications/%2e%2e"),
        ("GET", f"{NOTIFICATION}%2F.."),
        ("GET", f"{NOTIFICATION}%3Fuser_id=u-1"),
        ("GET", "/notifications/unknown"),
        ("POST", "/dead-letters/%2e%2e%2fredrive/redrive"),
        ("POST", "/dead-letters/../redrive"),
        ("GET", "//overview"),
    ):
        assert browser.ask(method, path)[0] in (404, 405), (method, path)
    assert api.asked == []


@pytest.mark.parametrize("value", ["%FF", "%", "a%zz", "%C3"])
def test_a_query_with_two_readings_is_not_passed_on(browser: Browser, api: Api, value: str) -> None:
    browser.open()
    assert browser.ask("GET", f"/devices?user_id={value}")[0] == 400
    assert api.asked == []


def test_what_the_api_refuses_is_passed_on_and_a_403_is_told_in_words(
    browser: Browser, api: Api
) -> None:
    browser.open()
    problem = {"status": 422, "detail": "no", "errors": [{"pointer": "", "detail": "limit: no"}]}
    api.answers = [(422, problem), (503, {"detail": "away"}), (403, {"message": "Forbidden"})]
    told = [browser.ask("GET", "/dead-letters?limit=0") for _ in range(3)]
    assert [(status, answer.get("detail")) for status, _, answer in told[:2]] == [
        (422, "no"), (503, "away"),
    ]  # fmt: skip
    assert told[2][0] == 403
    assert "OperatorPolicyArn" in told[2][2]["detail"]


def test_an_api_that_is_not_reached_and_credentials_that_are_none_are_told_in_words(
    site: Site,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    site.stack = a_stack(ApiUrl=nobody)
    with console(site) as address:
        browser = Browser(address)
        browser.open()
        status, _, answer = browser.ask("GET", "/overview")
    assert status == 502
    assert "AWS cannot be reached" in answer["detail"]

    class SignedOut(StubbedAws):
        def send(self, method: str, url: str, body: bytes = b"") -> Answer:
            raise NoCredentialsError

    with console(a_site(SignedOut(), stack=a_stack())) as address:
        browser = Browser(address)
        browser.open()
        status, _, answer = browser.ask("GET", "/overview")
    assert status == 502
    assert "aws sso login" in answer["detail"]


def test_it_says_whose_stack_it_shows(browser: Browser) -> None:
    browser.open()
    about = {"environment": "dev", "stack": "dovecote-dev", "region": REGION}
    names = list(channels.NAMES)
    assert browser.ask("GET", "/_console/about")[2] == about | {"channels": names}


@pytest.mark.parametrize("names", [("email",), ("push", "email"), ("email", "push", "sms")])
def test_it_names_the_channels_of_the_registry(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    monkeypatch.setattr(channels, "NAMES", names)
    browser.open()
    assert browser.ask("GET", "/_console/about")[2]["channels"] == list(names)


def test_what_keeps_it_from_serving_is_one_line(
    capsys: pytest.CaptureFixture[str], site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["console", "--env", "of-nobody"]) == 1
    assert "samconfig.toml has no section [of-nobody.…]" in capsys.readouterr().err
    monkeypatch.setattr("operate.cli.options.Site", lambda **_: site)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["console", "--port", str(taken.getsockname()[1])]) == 1
    assert "give another with --port" in capsys.readouterr().err
    site.stack = None
    assert main(["console"]) == 1
    assert capsys.readouterr().err == (
        "dovecote console: dovecote-dev is not deployed: make deploy ENV=dev\n"
    )


# Previews of the catalog.


def test_each_kind_is_shown_in_each_locale_with_a_payload_that_its_schema_takes(
    browser: Browser,
) -> None:
    browser.open()
    kinds = browser.ask("GET", "/_console/templates")[2]
    assert {one["kind"]: one["locales"] for one in kinds}["order.shipped"] == ["de"]
    for one in kinds:
        for locale in ["", *one["locales"]]:
            path = f"/_console/templates/{one['kind']}?locale={locale}"
            status, _, preview = browser.ask("GET", path)
            assert status == 200
            assert list(preview["messages"]) == one["channels"]
            assert all(shown["title"] and shown["text"] for shown in preview["messages"].values())
            assert "sample" not in preview["payload"].values()


def test_a_preview_is_in_its_locale(browser: Browser) -> None:
    browser.open()
    path = "/_console/templates/order.shipped"
    found = [browser.ask("GET", path + query)[2] for query in ("", "?locale=de")]
    plain, german = (preview["messages"][CHANNEL]["title"] for preview in found)
    assert plain != german
    assert "unterwegs" in german
    assert browser.ask("GET", "/_console/templates/nothing")[0] == 404


def test_a_sample_is_an_example_of_the_schema_an_event_or_made_up(tmp_path: Any) -> None:
    schema: dict[str, Any] = {"required": ["x", "n"], "properties": {"n": {"type": "integer"}}}

    def shown() -> tuple[str, str]:
        texts = texts_of(CHANNEL, "{{ x }}", "{{ n }}")
        folder = write_catalog(tmp_path / "catalog", {"order.arriving": schema}, **texts)
        preview = Gallery(folder, ROOT / "events").preview("order.arriving", None)
        assert preview is not None
        return preview.messages[CHANNEL].title, preview.messages[CHANNEL].text

    assert shown() == ("sample", "5")
    schema["examples"] = [{"x": "no n"}, {"x": "example", "n": 7}]
    assert shown() == ("example", "7")
