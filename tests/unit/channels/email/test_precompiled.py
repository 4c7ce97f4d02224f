"""The layout of emails in a compiled catalog."""

from pathlib import Path

import pytest

from dovecote import channels
from dovecote.catalog.compile import compile_catalog
from dovecote.catalog.errors import BadCatalog
from tests.unit.test_precompiled import renderings, shipped

__all__ = ["shipped"]


def test_a_variable_that_a_layout_newly_uses_is_found(shipped: Path) -> None:
    assert compile_catalog(shipped, channels.sections())
    path = shipped / "templates" / "_layouts" / "email.html"
    path.write_text(path.read_text() + "{{ surname }}")
    with pytest.raises(BadCatalog, match=r"email\.html: line [0-9]+: uses surname"):
        renderings(shipped)
