"""Rows by the name of a file or of a dataset on the Hub: one opener for every command.

    records = open_records("org/reviews", split="test")
    for number, record in records.rows: ...

Whatever `datasets` refuses (a loading script, a missing configuration, a gated or absent repo) becomes one line that
says what there is and what to do.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import DataError, StageError, did_you_mean
from sentisynth_hub.core.hub_endpoint import hub_api, refusal, unreachable
from sentisynth_hub.core.read_files import READERS, FileTable, ending_of, read_file


_HUB_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")
_SHOWN = 12  # configurations named in a message


@dataclass(frozen=True)
class Records:
    """Records of one file, or of one split of a dataset on the Hub.

    Attributes:
        name: What they are called in messages: the file's path, or the repo id and the split.
        rows: (line or row number, record) of each; each iteration starts anew.
    """

    name: str
    rows: Iterable[tuple[int, dict[str, Any]]]

    def class_names(self, column: str) -> list[str] | None:
        """Label names of a ClassLabel column, None for any other."""
        return self.rows.class_names(column) if isinstance(self.rows, FileTable | _HubRows) else None


@dataclass(frozen=True)
class HubDataset:
    """A dataset on the Hub at one commit.

    Attributes:
        parts: Its splits by name, as `datasets.load_dataset` gives them.
        licence: As its card states it, None where it states none.
    """

    repo_id: str
    commit: str
    licence: str | None
    parts: Any

    def split(self, name: str, key: str = "--split") -> Records:
        """The records of a split.

        Args:
            key: The option or key that names the split, for the message.

        Raises:
            DataError: There is no such split; names those there are.
        """
        if name not in self.parts:
            raise DataError(
                f"{key}: {self.repo_id} has no split {name!r}; it has {', '.join(self.parts)}"
                f"{did_you_mean(name, self.parts)}"
            )
        return Records(f"{self.repo_id} ({name})", _HubRows(self.parts[name]))


@dataclass(frozen=True)
class _HubRows:
    part: Any

    def __iter__(self) -> Any:
        return enumerate(self.part)

    def class_names(self, column: str) -> list[str] | None:
        import datasets

        feature = self.part.features.get(column)
        return list(feature.names) if isinstance(feature, datasets.ClassLabel) else None


def is_file_name(source: str) -> bool:
    """Whether SOURCE names a file rather than a dataset on the Hub: it is there, or ends as the files do that are
    read here. A dot alone says nothing: `org/movies-v1.5` is a repo.
    """
    path = Path(source).expanduser()
    return path.exists() or ending_of(path) in READERS or _HUB_ID.fullmatch(source) is None


def open_records(
    source: str,
    *,
    split: str = "train",
    config_name: str | None = None,
    revision: str | None = None,
) -> Records:
    """The records of a file, or of a split of a dataset on the Hub, by its id.

    Raises:
        DataError: The file or the dataset cannot be opened, or has no such split.
    """
    if is_file_name(source):
        path = Path(source).expanduser()
        return Records(str(path), read_file(path))
    return open_dataset(source, config_name=config_name, revision=revision).split(split)


def open_dataset(
    repo_id: str, *, config_name: str | None = None, revision: str | None = None, key: str | None = None
) -> HubDataset:
    """Open a dataset on the Hub at the commit that `revision` is now.

    Args:
        key: Key path of the recipe that names the dataset, such as `natural.dataset`; None: it stands on the command
            line.

    Raises:
        DataError: It is not there, is gated, has several configurations and none is named, needs a script, or holds
            nothing `datasets` can read.
        StageError: The Hub cannot be reached.
    """
    import datasets

    where = f"{key}: {repo_id}" if key else repo_id
    try:
        info = hub_api().dataset_info(repo_id, revision=revision)
    except Exception as error:
        if (why := refusal(error, "dataset", revision, here="file")) is not None:
            raise DataError(f"{where} {why}") from None
        if (why := unreachable(error)) is not None:
            raise StageError(f"{where} cannot be looked up: {why}") from None
        raise
    try:
        parts = datasets.load_dataset(repo_id, config_name, revision=info.sha)
    except Exception as error:  # of a dozen classes, from three libraries: each says why the data cannot be read
        if (why := unreachable(error)) is not None:
            raise StageError(f"{where} cannot be downloaded: {why}") from None
        raise DataError(f"{where}: {_why(error, repo_id, str(info.sha), config_name, key)}") from None
    licence = info.card_data.get("license") if info.card_data is not None else None
    return HubDataset(repo_id, str(info.sha), ", ".join(licence) if isinstance(licence, list) else licence, parts)


def _why(error: Exception, repo_id: str, commit: str, config_name: str | None, key: str | None) -> str:
    """Why a dataset did not load, in words of ours where the case is known."""
    option = f"{key.rpartition('.')[0]}.config_name" if key else "--config-name"
    reason = _first_line(error)
    if "dataset scripts are no longer supported" in str(error).lower():
        return "needs a loading script, and scripts are never run; look for a Parquet version of it"
    names = _config_names(repo_id, commit)
    if names and config_name is not None and config_name not in names:
        return f"has no configuration {config_name!r}{did_you_mean(config_name, names)}; it has {_listed(names)}"
    if config_name is None and len(names) > 1:
        return f"has several configurations; choose one with {option}: {_listed(names)}"
    cause = error.__cause__ or error.__context__
    while cause is not None and cause.__cause__ is not None:
        cause = cause.__cause__
    because = f" ({reason}{'' if cause is None else f'; {_first_line(cause)}'})"
    if any(word in type(error).__name__ for word in ("DataFilesNotFound", "EmptyDataset")):
        return f"holds no data files that can be read{because}"
    return f"its files cannot be read as one table{because}; see the dataset's page, or download one file and use that"


def _config_names(repo_id: str, commit: str) -> list[str]:
    import datasets

    try:
        return [str(name) for name in datasets.get_dataset_config_names(repo_id, revision=commit)]
    except Exception:  # the dataset is broken already: what it has is only a help
        return []


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
