"""Check a catalog, and compile it for cold starts.

It writes kinds.yaml as JSON, and templates as Python: to load PyYAML and to parse templates costs
more than to answer.
"""

from pathlib import Path

import msgspec

from dovecote.catalog import compiled
from dovecote.catalog.compiled import digest
from dovecote.catalog.kinds import COMPILED, SOURCE, load, parsed
from dovecote.catalog.rendering import Renderer
from dovecote.catalog.sections import Sections
from dovecote.catalog.settings_file import compile_settings
from dovecote.catalog.templates.folder import Templates
from dovecote.catalog.templates.precompiled import (
    FILE,
    FORMAT,
    CompiledTemplate,
    CompiledTemplates,
    Unit,
)


def check(folder: Path, sections: Sections) -> int:
    """Check a catalog with its templates; return how many kinds it has. Raises BadCatalog."""
    kinds = load(folder, sections)
    for kind in kinds.values():
        _ = kind.check.compiled
    Renderer(kinds, folder).check()
    return len(kinds)


def compile_catalog(folder: Path, sections: Sections) -> bool:
    """Check a catalog and compile it; return whether that can be done.

    Raises BadCatalog, and BadSettings for settings.yaml, whose values are not checked here.

    A catalog of which JSON cannot express a part, as a date in a schema, is not compiled.
    """
    check(folder, sections)
    compile_settings(folder)
    source = (folder / SOURCE).read_bytes()
    if not compiled.write(folder / COMPILED, source, parsed(source)):
        return False
    templates = msgspec.json.encode(_templates(folder, sections), order="sorted")
    compiled.write_file(folder / FILE, templates)
    return True


def _templates(folder: Path, sections: Sections) -> CompiledTemplates:
    """Return what Jinja2 writes in Python for all templates."""
    templates = Templates(folder, {})
    units = list(Renderer(load(folder, sections), folder).units())
    shared = templates.inspection.shared()
    by_key = {unit.key: _template(templates, unit) for unit in shared}
    for unit in units:
        uses = templates.inspection.uses(unit)
        by_key[unit.key] = msgspec.structs.replace(_template(templates, unit), uses=uses)
    return CompiledTemplates(form=FORMAT, templates=by_key)


def _template(templates: Templates, unit: Unit) -> CompiledTemplate:
    return CompiledTemplate(
        sha256=digest(unit.source.encode()),
        code=templates.inspection.sandbox.compile(unit.source, unit.name, unit.name, raw=True),
    )
