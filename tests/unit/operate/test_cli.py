"""The command line: help, bad usage, errors, the end of the output, and the installed script."""

import os
import signal
import socket
import subprocess
import sys
import tomllib
import venv
from importlib import import_module
from pathlib import Path

import pytest

from operate import ROOT, cli
from operate.cli.main import COMMANDS, main

EVENT = str(ROOT / "events" / "email.json")
PATH = f"{ROOT / 'layers' / 'dovecote'}{os.pathsep}{ROOT}"


def begin(*words: str, **environment: str) -> subprocess.Popen[str]:
    """Start the command with a pipe for its output."""
    return subprocess.Popen(
        [sys.executable, "-m", "operate.cli", *words],
        env={**os.environ, "PYTHONPATH": PATH, "PYTHONUNBUFFERED": "", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in its background has SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_fits_80_columns_and_documents_the_exit_codes(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert text.startswith(f"usage: {' '.join(['dovecote', *command])} ")
    assert ("  130  Ctrl-C\n" in text) is bool(command)
    assert [name for name in COMMANDS if f"  {name} " not in text] == [] or command


def test_each_command_has_a_module_and_each_module_a_command() -> None:
    modules = {path.stem for path in Path(cli.__path__[0]).glob("*.py")}
    assert {name.replace("-", "_") for name in COMMANDS} == modules - {
        "__init__", "__main__", "install", "main", "options",
    }  # fmt: skip


MISTAKES = {
    "": "the following arguments are required: COMMAND",
    "--env prod": "the following arguments are required: COMMAND",
    "whence": "invalid choice: 'whence'",
    "why": "one of the arguments --user --email --key --id is required",
    "why --user u-1 --email ann@example.com": "not allowed with",
    "why --key k": "a key is found within its kind: give both --kind and --key",
    "why --user u-1 --kind k": "a key is found within its kind",
    "why --use u-1": "one of the arguments",
    "console --port 65536": "--port: must be an integer from 0 to 65535",
    "refused --limit 0": "--limit: must be an integer from 1 to 100000",
    "send": "the following arguments are required: FILE",
    "redrive": "one way to choose dead letters is needed: give --id, a filter, or --all",
    "redrive --all --kind k": "one way",
    "redrive --id r --reason expired": "one way",
    "redrive --id r --dry-run": "are not for --id",
    "redrive --kind k --since yesterday": "'yesterday' is no time with an offset",
    "redrive --kind k --until 2026-11-24T09:00:00": "is no time with an offset",
    "redrive --kind k --per-second 0": "--per-second: must be from 0.01 to 1000",
    "redrive --kind k --per-second nan": "--per-second: must be from 0.01 to 1000",
    "redrive --kind k": "a redrive by filter asks first, and the input is not a terminal",
    "doctor --event events/both.json": "--event names what to send: add --send",
    "push-app --name shop": "the following arguments are required: --platform",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_bad_usage_is_one_line_and_exit_code_2(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    captured = capsys.readouterr()
    command = line.partition(" ")[0]
    program = f"dovecote {command}" if command in COMMANDS else "dovecote"
    assert captured.err.startswith(f"{program}: ")
    assert MISTAKES[line] in captured.err
    assert (captured.err.count("\n"), captured.out) == (1, "")


@pytest.mark.parametrize(
    "words",
    [["why", "--id", "n"], ["refused"], ["redrive", "--id", "r"], ["send", EVENT]],
    ids=lambda words: words[0],
)
def test_what_cannot_be_reached_is_one_line_and_exit_code_1(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"dovecote {words[0]}: "
    assert main([*words, "--env", "nowhere"]) == 1
    assert capsys.readouterr().err.startswith(f"{name}samconfig.toml has no section [nowhere.…]: ")
    monkeypatch.setenv("PORT", "9")
    assert main(words) == 1
    assert capsys.readouterr().err == (
        f"{name}the local stack does not answer at http://127.0.0.1:9: start it with make run, name"
        " its PORT, or name an environment with --env\n"
    )


@pytest.mark.parametrize("words", [["--help"], ["redrive", "--help"], ["doctor", "--env", "none"]])
def test_a_closed_pipe_ends_it_without_a_word(words: list[str]) -> None:
    process = begin(*words)
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stderr:
        process.stdout.close()
        assert (process.wait(30), process.stderr.read()) == (141, "")


def test_ctrl_c_ends_it_without_a_word() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = begin("refused", PORT=str(silent.getsockname()[1]))
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=30)
        connection.close()
    assert (process.returncode, out, error) == (130, "", "")


def test_ctrl_c_is_how_the_console_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("operate.cli.console.serve", serve)
    assert main(["console"]) == 0


def test_each_script_of_the_project_names_a_callable() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for target in scripts.values():
        module, _, name = target.partition(":")
        assert callable(getattr(import_module(module), name))


def test_the_installed_script_runs_from_any_directory(tmp_path: Path) -> None:
    """Its environment has no packages, which --help does not need, and a blank in its path."""
    folder = tmp_path / "an environment"
    venv.create(folder, symlinks=True)
    environment = {"PATH": os.environ["PATH"]}
    subprocess.run(
        [folder / "bin" / "python", "-m", "operate.cli.install"],
        env={**environment, "PYTHONPATH": str(ROOT)}, check=True, timeout=30,
    )  # fmt: skip
    script = folder / "bin" / "dovecote"

    def run(*words: str) -> tuple[int, str, str]:
        ran = subprocess.run(
            [script, *words],
            env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        return ran.returncode, ran.stdout, ran.stderr

    code, out, error = run("--help")
    assert (code, out.splitlines()[0], error) == (0, "usage: dovecote COMMAND [OPTION …]", "")
    missing = "dovecote: the Python module msgspec is missing: run make setup\n"
    assert run("refused") == (1, "", missing)
