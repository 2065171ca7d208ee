"""Which errors of dulwich mean that a repository is damaged on disk."""

import zlib

from dulwich.errors import (
    ApplyDeltaError,
    ChecksumMismatch,
    FileFormatException,
    MissingCommitError,
    ObjectMissing,
    RefFormatError,
    WrongObjectException,
)


_ERRORS = (
    zlib.error,
    ApplyDeltaError,
    ChecksumMismatch,
    FileFormatException,
    MissingCommitError,
    ObjectMissing,
    RefFormatError,
    WrongObjectException,
)


def is_damage(error: BaseException | None) -> bool:
    """Whether dulwich met an object that is missing (a KeyError of its id) or is not what it should be."""
    missing = isinstance(error, KeyError) and bool(error.args) and isinstance(error.args[0], bytes)
    return missing or isinstance(error, _ERRORS)
