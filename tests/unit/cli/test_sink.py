"""What commands print is ours, and what the machine refuses is one line."""

import csv
import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentisynth_hub.cli import main, options
from sentisynth_hub.core import log
from sentisynth_hub.core.errors import DataError, StageError
from sentisynth_hub.core.machine_failures import machine_failure
from sentisynth_hub.core.rows import Row, read_rejected, read_rows, write_rows
from sentisynth_hub.core.run_folder import stage_folder
from sentisynth_hub.experiments.predict_file import Prediction, Text, write_predictions
from sentisynth_hub.study.predictions import read_predictions


HOSTILE = ["default\x1b[8m", "one\nok  two", "\x1b]52;c;aGk=\x07", "\u202egnp", "\x9b2J", "a\u200bb", "\ud83d"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_of_a_stranger_neither_hides_nor_forges_a_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    options.show({}, [f"NO  {name}", "1 check disagrees"], as_json=False)
    lines = capsys.readouterr().out.split("\n")
    assert len(lines) == 3
    assert all(log.printable(line) == line for line in lines)
    options.show({"name": name}, [], as_json=True)
    document = capsys.readouterr().out
    assert json.loads(document) == {"name": name}
    assert log.printable_lines(document) == document


def code(tmp_path: Path, statement: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run `statement` where a command would be, in a process of its own."""
    script = (
        "import sys, click\nfrom sentisynth_hub import cli\nfrom sentisynth_hub.cli import options\n"
        f"@click.command()\ndef probe():\n    {statement}\n"
        "cli._LazyGroup.get_command = lambda *_: probe\ncli.main(['probe'])\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, cwd=tmp_path, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii", "utf-8"])
def test_a_terminal_of_any_encoding_gets_the_result(tmp_path: Path, encoding: str) -> None:
    shown = code(tmp_path, r"options.show({}, ['\u0d2e\u0d32 \U0001f44d \xe9'], False)", PYTHONIOENCODING=encoding)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout
    document = code(tmp_path, r"options.show({'a': '\u0d2e\U0001f44d'}, [], True)", PYTHONIOENCODING=encoding)
    assert document.returncode == 0, document.stderr
    assert json.loads(document.stdout) == {"a": "മ👍"}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("open('/dev/full', 'w', buffering=1).write('text\\n')", "No space left on device; free some space"),
        ("open('x' * 300)", "File name too long; choose a shorter name"),
        ("open('/')", "/: Is a directory; name a file"),
        ("import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
         "resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9)); open('a', 'wb', 0).write(b'x' * 9); "
         "open('a', 'ab', 0).write(b'x')", "File too large; raise the limit"),
    ],
)  # fmt: skip
def test_what_the_machine_refuses_is_one_line(tmp_path: Path, statement: str, message: str) -> None:
    done = code(tmp_path, statement)
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert len(lines) == 1
    assert message in lines[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    done = code(tmp_path, "open('closed/a', 'w')")
    assert done.stderr.decode().splitlines() == [
        "error: closed/a: Permission denied; change its rights, or choose another folder, then run the same command "
        "again"
    ]


class SafetensorError(Exception):
    """As the library of that name raises it."""


def test_what_libraries_wrap_is_found_and_a_bug_stays_a_bug() -> None:
    inner = OSError(errno.ENOSPC, "full", "a.parquet")
    outer = RuntimeError("could not save")
    outer.__cause__ = inner
    assert (
        machine_failure(outer)
        == "a.parquet: No space left on device; free some space, then run the same command again"
    )
    read_only = SafetensorError("Error while serializing: I/O error: Read-only file system (os error 30)")
    assert "choose a folder that can be written" in (machine_failure(read_only) or "")
    for bug in (KeyError("os error 28"), OSError("odd"), FileNotFoundError(errno.ENOENT, "gone", "a")):
        assert machine_failure(bug) is None


def damaged(folder: Path, kind: str) -> Path:
    path = folder / "candidates.parquet"
    write_rows(path, [Row("a text of a row", "positive", request_id="1")])
    whole = path.read_bytes()
    if kind == "columns":
        pq.write_table(pa.table({"text": ["a"]}), path)
    else:
        path.write_bytes(
            {
                "empty": b"",
                "cut": whole[:-20],
                "text": b"not a table",
                "middle": whole[:8] + b"\xff" * 60 + whole[68:],
            }[kind]
        )
    return path


@pytest.mark.parametrize("kind", ["empty", "cut", "text", "middle", "columns"])
def test_a_damaged_table_of_a_run_is_one_line(tmp_path: Path, kind: str) -> None:
    path = damaged(tmp_path, kind)
    for read in (read_rows, read_rejected):
        with pytest.raises(StageError, match=r"candidates.parquet: (damaged|has no column) .*run again"):
            read(path)
    with pytest.raises(DataError, match=r"candidates.parquet: "):
        read_predictions([path])


@pytest.mark.parametrize("content", ["[]", "3", '"text"', "null", "[" * 100_000, "{", "\udcff"])
def test_a_damaged_manifest_of_a_run_is_one_line(tmp_path: Path, content: str) -> None:
    folder = stage_folder(tmp_path, "generate", version=1, recipe={})
    folder.path.mkdir(parents=True)
    (folder.path / "manifest.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(StageError, match="manifest.json: not .* run again"):
        folder.manifest()


@pytest.mark.parametrize(
    "cell", ["=HYPERLINK(1)", "+1+cmd|'/c'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "  =1", "a\r=1", "a\n=1"]
)
def test_a_csv_of_predictions_holds_no_formula(cell: str) -> None:
    written = write_predictions(None, "csv", [Prediction(Text(1, cell, "text"), cell, {cell: 1.0})])
    row = list(csv.reader(io.StringIO(written, newline="")))[1]
    assert row[1:3] == [cell if cell.startswith("a") else f"'{cell}"] * 2  # no line ends inside a cell


@pytest.mark.parametrize("cell", ["-1", "+0.5", "positive", "മോശം", "a=b"])
def test_an_ordinary_cell_stays_as_it_is(cell: str) -> None:
    assert cell in write_predictions(None, "csv", [Prediction(Text(1, cell, "text"), cell, {})]).split("\n")[1].split(
        ","
    )


@pytest.mark.parametrize("spec", ["nobody/x\x1b[8m", "a b/c", "../etc/passwd", "a/..", "x-/y", "a/b.git", "ä/b"])
@pytest.mark.parametrize("command", [["diff", "{}", "a/y@v1.0.0"], ["verify", "{}@v1.0.0"]])
def test_what_no_repo_can_be_called_is_one_line(
    spec: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([word.format(spec) for word in command])
    message = capsys.readouterr().err.rstrip("\n")
    assert ended.value.code == 2
    assert message.startswith("error: ")
    assert log.printable(message) == message
