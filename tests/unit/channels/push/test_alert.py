"""Rendering a push: title and body, by push.json."""

from pathlib import Path

import pytest

from dovecote.catalog.rendering import RenderError
from dovecote.channels.push.kind import FILE, Alert
from tests.unit.examples import renderer_of

MARKUP = "<b>Ann & 'Bob'</b>\""


def test_a_push_is_not_escaped(tmp_path: Path) -> None:
    renderer, kind = renderer_of("push", tmp_path)
    expected = Alert(title="Hello", body=f"It is {MARKUP}")
    assert renderer.texts(kind, None, FILE, Alert, {"name": MARKUP}) == expected


def test_an_undefined_variable_of_a_push_is_a_render_error(tmp_path: Path) -> None:
    renderer, kind = renderer_of("push", tmp_path)
    with pytest.raises(RenderError, match="'name' is undefined"):
        renderer.texts(kind, None, FILE, Alert, {})
