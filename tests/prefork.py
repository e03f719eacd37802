"""`deepvis-audit` or `pytest`, many times: each run is a fork of one process that has imported torch and our modules.

What a run does is what the installed program does; only the seconds of importing are shared. Tests of what is imported,
of signals and of the installed script start processes of their own.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, NoReturn

import pytest

from audit.cli import main

IMPORTED = ("altair", "audit.gate.nodes", "audit.search.command", "jinja2", "numba", "pyarrow.parquet", "vl_convert")
"""What runs import sooner or later."""
PLUGINS = ("jaxtyping",)
"""What of it is a plugin of pytest."""


def forked(
    program: str, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """`PROGRAM ARGUMENTS` in that folder and environment, ended."""
    with tempfile.TemporaryDirectory() as folder:
        out, error = Path(folder, "out"), Path(folder, "error")
        asked = {"command": [program, *arguments], "cwd": str(cwd), "environment": dict(environment), "out": str(out)}
        code = _asked({**asked, "error": str(error)})
        texts = [path.read_text(encoding="utf-8") for path in (out, error)]
    return subprocess.CompletedProcess([program, *arguments], code, *texts)


def _asked(question: dict[str, Any]) -> int:
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    print(json.dumps(question), file=server.stdin, flush=True)
    answer = server.stdout.readline()
    assert answer, "the process that runs audits has died"
    return int(answer)


@cache
def _server() -> subprocess.Popen[str]:
    """Ends when this process does, and its input with it."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", __file__]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _serve(questions: IO[str]) -> None:
    for name in IMPORTED:
        import_module(name)
    for name in PLUGINS:  # else pytest warns that it cannot rewrite what is there already
        sys.modules[name].__doc__ = f"{sys.modules[name].__doc__} PYTEST_DONT_REWRITE"

    for line in questions:
        child = os.fork()
        if child == 0:
            _run(**json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(command: list[str], cwd: str, environment: dict[str, str], out: str, error: str) -> NoReturn:
    code = 70
    try:
        for number, path in enumerate((os.devnull, out, error)):
            os.dup2(os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT, 0o600), number)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(cwd)
        sys.path[:0] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
        sys.argv = command
        code = main() if command[0] == "deepvis-audit" else pytest.console_main()
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.stdin)
