"""The `sentisynth` command in the tests' own process: in one of its own a call takes seconds to load the libraries."""

import io
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess

from sentisynth_hub.cli import main


def sentisynth(*arguments: str, cwd: Path, code: int = 0) -> CompletedProcess[str]:
    """Run the command in a folder; what it writes to stdout and stderr. It must end with this exit code."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with chdir(cwd), redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
    done = CompletedProcess(list(arguments), status, stdout.getvalue(), stderr.getvalue())
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-3000:]
    return done
