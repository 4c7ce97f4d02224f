"""The floor: Dovecote's own claim and publish statements by pgbench, with no Python around them.

It reads no channel's state and holds no loop together, and claims and publishes in turns.
"""

import re
import subprocess
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.routes import DUE
from local.postgres import installed

BATCH = 1000

SCRIPT = """with claimed as ({claim}), told as ({claimed})
select quote_literal(coalesce(jsonb_object_agg(route_id, route_id)::text, '{{}}')) as messages
from told
\\gset
{publish};
"""

VALUES = {
    "token": "'00000000-0000-0000-0000-00000000000:client_id'::uuid",
    "lease": "60",
    "default_max_attempts": "8",
    "lanes": f"'{{{DUE}}}'",
    "limits": f"'{{{BATCH}}}'",
    "since": "'{-Infinity}'",
    "until": "'-Infinity'::float8",
    "message_ids": ":messages",
}


def script() -> str:
    """Return the two statements as pgbench reads them: without comments, values put in."""
    return SCRIPT.format_map({name: _written(name) for name in ("claim", "claimed", "publish")})


def rate(url: str, jobs: int, processes: int) -> float:
    """Drain so many jobs; return how many a second."""
    with TemporaryDirectory() as directory:
        file = Path(directory, "drain.sql")
        file.write_text(script())
        said = subprocess.run(
            [
                str(installed("pgbench")), "--no-vacuum", f"--client={processes}",
                f"--jobs={processes}", f"--transactions={jobs // BATCH // processes}",
                f"--file={file}", url,
            ],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    found = re.search(r"tps = ([\d.]+)", said)
    assert found is not None
    return float(found[1]) * BATCH


def _written(name: str) -> str:
    source = files("dovecote.store").joinpath("sql", "dispatch", f"{name}.sql")
    text = re.sub(r"--.*", "", source.read_text())
    for parameter, value in VALUES.items():
        text = text.replace(f"%({parameter})s", value)
    return text.strip()
