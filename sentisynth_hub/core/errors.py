"""Every error the toolkit raises on purpose.

    SentisynthError                exit code 1: something failed or drifted while the input was fine
    ├── StageError                 a stage could not finish (a model diverged, a server died)
    ├── PublishError               the Hub refused, or what is there cannot be built upon
    ├── DriftError                 `verify` found something that no longer agrees
    └── InputError                 exit code 2: the user can mend it
        ├── RecipeError            a recipe file or an override is wrong
        ├── DataError              a row, a file or a label is not what the recipe says
        └── LaunchError            the processes of a launch do not see each other

A message is one line that says where, what was found and what to do. Anything else that escapes is a bug of ours and
keeps its traceback.
"""

import difflib
from collections.abc import Iterable


class SentisynthError(Exception):
    """Base of all errors raised on purpose; the command line prints its message and exits with `exit_code`."""

    exit_code = 1


class StageError(SentisynthError):
    """A stage could not finish although its input was valid; what it had completed is kept for the next run."""


class PublishError(SentisynthError):
    """Nothing was published: the Hub refused, or the repo holds something that must not be overwritten."""


class DriftError(SentisynthError):
    """What is published no longer agrees with what its manifest or card says."""


class InputError(SentisynthError):
    """The user's input is wrong in a way the user can mend; raised before anything is spent or written."""

    exit_code = 2


class RecipeError(InputError):
    """A recipe, or a `key=value` override of it, is wrong. Names file, key path, what was found and what to do."""


class DataError(InputError):
    """Natural data is not what the recipe says: a missing file or column, an unknown label, too few rows, a leak."""


class LaunchError(InputError):
    """The processes of one launch do not see each other, so everything would be done twice."""


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return `; did you mean X?` where one of `known` is near, else nothing."""
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
