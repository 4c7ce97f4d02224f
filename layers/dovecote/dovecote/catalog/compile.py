"""Compile a catalog for cold starts: `python -m dovecote.catalog.compile <built catalog>`.

It writes kinds.yaml as JSON, and the code of the templates: to load PyYAML and to parse templates
costs more than to answer. `--python` names the interpreter whose code is written, that of Lambda.
"""

import base64
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from dovecote.catalog.check import check
from dovecote.catalog.kinds import COMPILED, SOURCE, BadCatalog, Compiled, digest, load, parsed
from dovecote.catalog.rendering import Renderer
from dovecote.catalog.sections import Sections
from dovecote.catalog.templates import precompiled
from dovecote.catalog.templates.folder import Templates
from dovecote.catalog.templates.precompiled import CompiledTemplate, CompiledTemplates, Unit

# By itself: an interpreter that runs it needs nothing of Dovecote.
WORKER = """
import base64, importlib.util, json, marshal, sys
made = {key: base64.b64encode(marshal.dumps(compile(text, name or "<template>", "exec"))).decode()
        for key, (name, text) in json.load(sys.stdin).items()}
json.dump({"magic": importlib.util.MAGIC_NUMBER.hex(), "code": made}, sys.stdout)
"""


class Made(msgspec.Struct):
    """What an interpreter compiled, in Base64."""

    magic: str
    code: dict[str, str]


def compile_catalog(folder: Path, sections: Sections, python: str = sys.executable) -> bool:
    """Check a catalog and compile it; return whether that can be done. Raises BadCatalog.

    What JSON says otherwise than YAML, as a date in a schema, is not compiled.
    """
    check(folder, sections)
    source = (folder / SOURCE).read_bytes()
    kinds = parsed(source)
    compiled = msgspec.json.encode(Compiled(sha256=digest(source), kinds=kinds))
    if msgspec.json.decode(compiled, type=Compiled).kinds != kinds:
        return False
    _write(folder / COMPILED, compiled)
    templates = msgspec.msgpack.encode(_templates(folder, sections, python), order="deterministic")
    _write(folder / precompiled.FILE, templates)
    return True


def _templates(folder: Path, sections: Sections, python: str) -> CompiledTemplates:
    """Return the code of all templates, for an interpreter."""
    templates = Templates(folder, {})
    units = {unit.key: unit for unit in Renderer(load(folder, sections), folder).units()}
    shared = {unit.key: unit for unit in templates.inspection.shared()}
    every = units | shared
    made = _compiled({key: _python_of(templates, unit) for key, unit in every.items()}, python)
    return CompiledTemplates(
        magic=made.magic,
        form=precompiled.FORMAT,
        templates={
            key: CompiledTemplate(
                sha256=precompiled.digest(unit.source),
                code=base64.b64decode(made.code[key]),
                uses=templates.inspection.uses(unit) if key in units else None,
            )
            for key, unit in sorted(every.items())
        },
    )


def _python_of(templates: Templates, unit: Unit) -> tuple[str | None, str]:
    """Return the name of a template, and what Jinja2 writes for it in Python."""
    return unit.name, templates.compiling.compile(unit.source, unit.name, unit.name, raw=True)


def _compiled(sources: Mapping[str, tuple[str | None, str]], python: str) -> Made:
    ran = subprocess.run(  # noqa: S603 - all of it is ours
        [python, "-I", "-c", WORKER],
        input=msgspec.json.encode(sources),
        capture_output=True,
        check=False,
    )
    if ran.returncode != 0:
        raise BadCatalog(f"{python} cannot compile the templates: {ran.stderr.decode()[-500:]}")
    return msgspec.json.decode(ran.stdout, type=Made)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o644)
