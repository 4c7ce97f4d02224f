"""Templates that were compiled with the catalog: they render the same, while they are current."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dovecote import channels
from dovecote.catalog.compile import compile_catalog
from dovecote.catalog.kinds import Kind, load
from dovecote.catalog.rendering import Renderer
from dovecote.catalog.templates import compiling, precompiled
from dovecote.catalog.templates.precompiled import CompiledTemplates
from tests import catalogs

LAYER = Path(__file__).parents[2] / "layers" / "dovecote"
VALUES: dict[str, Any] = {
    "first_name": "<Ann>", "order_id": "A-1", "carrier": "DHL", "unsubscribe_token": "0" * 16,
    "week": "16 November", "articles": [{"title": "t", "summary": "s", "url": "https://x"}],
    "author": "Bea", "thread_title": "t", "excerpt": "e", "comment_url": "https://x",
    "reset_url": "https://x", "valid_minutes": 15, "device": "d", "location": "l",
    "signed_in_at": "now", "secure_url": "https://x", "minutes": 5,
}  # fmt: skip

# What a function does: it renders a kind, and says what it made and what it loaded.
RENDER = """
import sys
sys.path[:0] = [sys.argv[1]]
from pathlib import Path
from dovecote import channels
from dovecote.catalog.kinds import load
from dovecote.catalog.rendering import Renderer
folder = Path(sys.argv[2])
kinds = load(folder, channels.sections())
values = {"first_name": "<Ann>", "order_id": "A-1", "carrier": "DHL"}
one, kind = Renderer(kinds, folder), kinds["order.shipped"]
files = channels.get(channels.NAMES[0]).section().files
text = " ".join(
    one.text(kind, "de", name, values) if shape is None
    else str(one.texts(kind, "de", name, shape, values))
    for name, shape in files.items()
)
escaped = "body.html" not in files or "&lt;Ann&gt;" in text
print("jinja2" in sys.modules, escaped, "unterwegs" in text, "A-1" in text)
"""


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """A copy of the catalog that is shipped."""
    return Path(shutil.copytree(catalogs.shipped(), tmp_path / "catalog"))


def renderings(folder: Path) -> list[Any]:
    """Return what all kinds say, and the variables that they use."""
    kinds = load(folder, channels.sections())
    one = Renderer(kinds, folder)
    made: list[Any] = []
    for kind in kinds.values():
        for locale in (None, "de"):
            made += [one.names(kind, locale), one.reads(kind, locale)]
            for channel in kind.channels:
                made += rendered(one, kind, locale, channel)
    return made


def rendered(one: Renderer, kind: Kind, locale: str | None, channel: str) -> Iterator[object]:
    """Yield what the files and the lines of a channel say."""
    section = kind.sections[channel]
    for name, shape in section.files.items():
        if shape is None:
            yield one.text(kind, locale, name, VALUES)
        else:
            yield one.texts(kind, locale, name, shape, VALUES)
    for key, text in section.lines():
        yield one.line(kind, key, text, VALUES)


def rendered_alone(folder: Path) -> str:
    command = [sys.executable, "-B", "-c", RENDER, str(LAYER), str(folder)]
    ran = subprocess.run(command, capture_output=True, check=False, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_compiled_catalog_renders_the_same_and_parses_nothing(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = renderings(shipped)
    assert compile_catalog(shipped, channels.sections())
    monkeypatch.setattr(compiling.CompilingSandbox, "_parse", None)
    monkeypatch.setattr(compiling.CompilingSandbox, "compile", None)
    assert renderings(shipped) == before


def test_templates_that_only_print_are_rendered_without_jinja(shipped: Path) -> None:
    assert rendered_alone(shipped) == "True True True True\n"
    assert compile_catalog(shipped, channels.sections())
    assert rendered_alone(shipped) == "False True True True\n"


def test_a_template_that_was_edited_to_do_more_than_print_is_compiled(shipped: Path) -> None:
    assert compile_catalog(shipped, channels.sections())
    for path in (shipped / "templates" / "order-shipped" / "de").iterdir():
        path.write_text(path.read_text().replace("{{ order_id }}", "{{ order_id|lower }}"))
    assert rendered_alone(shipped) == "True True True False\n"


@pytest.mark.parametrize(
    "name", ["order-shipped/body.html", "_layouts/email.html", "order-shipped/push.json"]
)
def test_a_template_that_was_edited_since_is_compiled_anew(shipped: Path, name: str) -> None:
    assert compile_catalog(shipped, channels.sections())
    path = shipped / "templates" / name
    path.write_text(
        path.read_text().replace("Your order", "Look, your order").replace("Nestbox", "Nest")
    )
    changed = renderings(shipped)
    (shipped / precompiled.FILE).unlink()
    assert renderings(shipped) == changed


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b"[]"])
def test_a_file_that_cannot_be_read_is_ignored(shipped: Path, content: bytes) -> None:
    before = renderings(shipped)
    (shipped / precompiled.FILE).write_bytes(content)
    assert renderings(shipped) == before


def test_the_code_of_another_dovecote_is_ignored(shipped: Path) -> None:
    before = renderings(shipped)
    assert compile_catalog(shipped, channels.sections())
    path = shipped / precompiled.FILE
    found = msgspec.json.decode(path.read_bytes(), type=CompiledTemplates)
    broken = {key: msgspec.structs.replace(one, code="") for key, one in found.templates.items()}
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(found, templates=broken, form=-1)))
    assert renderings(shipped) == before
