"""What the machine refuses (a full disk, a folder that may not be written), in one line in place of a traceback."""

import errno
import os
import re


_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or ask for a larger quota",
    errno.EFBIG: "raise the limit on file sizes (`ulimit -f`)",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "change its rights, or choose another folder",
    errno.EPERM: "change its rights, or choose another folder",
    errno.EMFILE: "raise the limit on open files (`ulimit -n`)",
    errno.ENFILE: "close other programs",
    errno.EIO: "look at the disk",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "choose another folder",
    errno.EISDIR: "name a file",
    errno.ELOOP: "mend the links of its path",
}


def machine_failure(error: BaseException) -> str | None:
    """Say in one line what the machine refused, where `error` or what caused it means that; None where it is
    something else.

    Libraries wrap such errors in their own, so the whole chain is looked at. What was complete stays as it is: files
    are there whole or not at all, and a killed run goes on.
    """
    visited: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in visited:
        visited.add(id(link))
        number = _number(link)
        if number in _ADVICE:
            name = getattr(link, "filename", None)
            place = f"{os.fsdecode(name)}: " if isinstance(name, str | bytes | os.PathLike) else ""
            return f"{place}{os.strerror(number)}; {_ADVICE[number]}, then run the same command again"
        link = link.__cause__ or link.__context__
    return None


def _number(error: BaseException) -> int:
    if isinstance(error, OSError):
        return error.errno or 0
    written = _RUST.search(str(error)) if type(error).__name__ in ("SafetensorError", "Exception") else None
    return int(written[1]) if written else 0


_RUST = re.compile(r"\(os error (\d{1,3})\)")  # safetensors and tokenizers say the number in words only
