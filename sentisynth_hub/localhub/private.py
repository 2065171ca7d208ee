"""The data folder is its owner's alone: private repos, tokens and the signing secret lie in it."""

import os
import stat
from pathlib import Path

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.localhub.config import LOCK_FILE


_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OUR_FILES = (LOCK_FILE, "owner-token", "repos")


def make_private(data: Path) -> None:
    """Make the data folder, or close one that is there to everybody else.

    Raises:
        InputError: It is somebody else's, or it holds other things, for which it may be open on purpose.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = data.stat()
    except OSError as error:
        raise InputError(f"{data}: the embedded Hub cannot make its folder here ({error.strerror})") from error
    if state.st_uid != os.getuid():
        raise InputError(f"{data}: this folder is another user's; name one of your own with --data")
    if state.st_mode & _OTHERS:
        if any(data.iterdir()) and not any((data / name).exists() for name in _OUR_FILES):
            raise InputError(
                f"{data}: others may read this folder, and it holds more than a Hub; name another with "
                f"--data, or close it with chmod 700"
            )
        data.chmod(0o700)
