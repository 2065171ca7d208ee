"""What a repo on the Hub may be called, known without loading the Hub's client.

The client fixes its endpoint when it is imported, and a recipe is read before the Hub is chosen; so the rule stands
here once more. A test holds it against the client's own `validate_repo_id`, which is never stricter.
"""

import re


_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?")
_LONGEST = 96  # characters of `namespace/name`


def repo_id_problem(repo_id: str) -> str | None:
    """Say why `repo_id` cannot be a repo's id; None where it can.

    A repo id is `namespace/name`: ASCII letters, digits, `-`, `_` and `.`, at most 96 characters in all, neither part
    begins or ends with `-` or `.`, no `--` or `..`, and it does not end with `.git`.
    """
    parts = repo_id.split("/")
    if len(parts) != 2:
        return "a repo id is written namespace/name"
    if len(repo_id) > _LONGEST:
        return f"a repo id has at most {_LONGEST} characters"
    if not all(_NAME.fullmatch(part) for part in parts):
        return "a repo id has ASCII letters, digits, - _ and . only, and neither part begins or ends with - or ."
    if "--" in repo_id or ".." in repo_id:
        return "a repo id holds neither -- nor .."
    if repo_id.lower().endswith(".git"):
        return "a repo id does not end with .git"
    return None
