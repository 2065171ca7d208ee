"""`sentisynth init hf-extension`: make `hf sentisynth ...` work.

`hf` finds commands of other makers only in its own extensions folder, by a manifest that names an executable. Ours is
the `sentisynth` command of this very environment, so both always agree.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.files import write_json


REPO = ("sentisynth", "hf-sentisynth")


def install_extension() -> Path:
    """Register this environment's `sentisynth` as an extension of `hf`; return the manifest's path. Doing it again is
    harmless.

    Raises:
        InputError: This environment has no `sentisynth` executable.
    """
    from huggingface_hub.cli.extensions import EXTENSIONS_ROOT

    executable = Path(sys.executable).parent / ("sentisynth.exe" if sys.platform == "win32" else "sentisynth")
    if not executable.is_file():
        raise InputError(
            f"{executable}: not there; install the package (pip install sentisynth-hub) into this environment first"
        )
    owner, repo = REPO
    path = EXTENSIONS_ROOT.expanduser() / repo / "manifest.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(
        path,
        {
            "owner": owner,
            "repo": repo,
            "repo_id": f"{owner}/{repo}",
            "short_name": "sentisynth",
            "executable_path": str(executable),
            "type": "python",
            "installed_at": datetime.now(UTC).isoformat(),
            "description": "Generate, filter, judge and publish synthetic text-classification data.",
            "commit_sha": None,
        },
    )
    return path
