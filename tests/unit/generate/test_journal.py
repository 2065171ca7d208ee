"""The journal survives a crash at any byte."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.rows import Completion
from sentisynth_hub.generate.answers import Answers, completion_record, spent
from sentisynth_hub.generate.budget import TokenCost
from sentisynth_hub.generate.journal import Journal, read_journal, record_at, repair, union_journals


RECORDS = [{"kind": "note", "text": text} for text in ("first", "líne two ✨", "mal\nformed", "\u2028", "last")]


def written(path: Path) -> bytes:
    journal = Journal(path)
    journal.append(RECORDS)
    journal.close()
    return path.read_bytes()


@settings(deadline=None)  # it syncs to the disk
@given(cut=st.integers(min_value=0))
def test_a_file_cut_anywhere_gives_its_whole_lines_and_takes_new_ones(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("journal") / "completions-0.jsonl"
    content = written(path)
    cut %= len(content) + 1
    path.write_bytes(content[:cut])
    whole = content[:cut].count(b"\n")
    assert [record for _, record in read_journal(path)] == RECORDS[:whole]
    journal = Journal(path)
    journal.append([{"kind": "note", "text": "after"}])
    journal.close()
    assert [record for _, record in read_journal(path)] == [*RECORDS[:whole], {"kind": "note", "text": "after"}]


def test_repair_cuts_a_torn_line_longer_than_a_block(tmp_path: Path) -> None:
    path = tmp_path / "completions-0.jsonl"
    content = written(path)
    path.write_bytes(content + b'{"kind": "' + b"x" * 200_000)
    assert repair(path) == 200_010
    assert path.read_bytes() == content
    assert repair(path) == 0
    assert repair(tmp_path / "none.jsonl") == 0


def test_a_broken_line_in_the_middle_is_an_error_that_names_its_place(tmp_path: Path) -> None:
    path = tmp_path / "completions-0.jsonl"
    path.write_bytes(b'{"kind": "note"}\nnot json\n{"kind": "note"}\n')
    with pytest.raises(StageError, match="completions-0.jsonl: byte 17"):
        list(read_journal(path))


def test_record_at_reads_what_read_journal_found(tmp_path: Path) -> None:
    path = tmp_path / "completions-0.jsonl"
    written(path)
    assert [record_at(path, offset) for offset, _ in read_journal(path)] == RECORDS


def test_answers_count_only_for_their_batch(tmp_path: Path) -> None:
    path = tmp_path / "completions-0.jsonl"
    journal = Journal(path)
    journal.append([completion_record(Completion("r1", "text", "stop", "m"), batch="b1")])
    journal.append([completion_record(Completion("r2", "text", "stop", "m"))])
    journal.close()
    answers = Answers(lambda: [path])
    assert ("r1", "b1") in answers
    assert ("r1", "b2") not in answers
    assert answers.completion("r2", None) == Completion("r2", "text", "stop", "m")
    assert answers.completion("r3", None) is None


def test_spent_counts_answers_at_their_cost_and_open_reservations_at_the_worst(tmp_path: Path) -> None:
    path = tmp_path / "completions-0.jsonl"
    journal = Journal(path)
    for call in ("answered", "released", "open"):
        journal.append([{"kind": "reservation", "call": call, "request_ids": [call], "tokens": 100, "cost_usd": 1.0}])
    answer = Completion("answered", "text", "stop", "m", prompt_tokens=7, completion_tokens=3, cost_usd=0.25)
    journal.append([completion_record(answer, call="answered")])
    journal.append([{"kind": "release", "call": "released", "tokens": 5, "cost_usd": 0.125}])
    journal.close()
    assert spent([path]) == TokenCost(7 + 3 + 5 + 100, 0.25 + 0.125 + 1.0)


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x1c", "\x0b", "\x0c", "\r"])
def test_no_character_but_a_newline_ends_a_line(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "completions-0.jsonl"
    journal = Journal(path)
    journal.append([completion_record(Completion("r1", f"a{separator}b", "stop", "m"))])
    journal.close()
    assert path.read_bytes().isascii()
    assert len(path.read_text("ascii").splitlines()) == 1
    answer = Answers(lambda: [path]).completion("r1", None)
    assert answer is not None
    assert answer.text == f"a{separator}b"


def disk_full_after(monkeypatch: pytest.MonkeyPatch, journal: Journal, size: int) -> None:
    """The next write takes `size` bytes, the one after it none."""
    handle = journal._handle

    class Full:
        left = size

        def write(self, content: bytes) -> int:
            if not self.left:
                raise OSError(28, "No space left on device")
            written, self.left = handle.write(content[: self.left]), 0
            return written or 0

        def fileno(self) -> int:
            return handle.fileno()

        def close(self) -> None:
            handle.close()

    monkeypatch.setattr(journal, "_handle", Full())


@pytest.mark.parametrize("size", [0, 1, 30, 40, 75])
def test_a_failed_write_leaves_whole_lines_and_closes_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = tmp_path / "completions-0.jsonl"
    before = written(path)
    journal = Journal(path)
    records = [{"kind": "note", "text": "x" * 10}, {"kind": "note", "text": "y" * 10}]
    disk_full_after(monkeypatch, journal, size)
    with pytest.raises(StageError, match=r"completions-0.jsonl: cannot be written to \(No space left on device\)"):
        journal.append(records)
    with pytest.raises(
        StageError, match="No space left"
    ):  # space may be there again: what follows a torn line is lost
        journal.append(records)
    journal.close()
    content = path.read_bytes()
    assert content.startswith(before)
    assert content.endswith(b"\n")
    assert [record for _, record in read_journal(path)] == [*RECORDS, *records[: size // 38]]
    assert os.path.getsize(path) == len(content)


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind": "completion"}',
        b'{"kind": "completion", "request_id": 7, "batch": null, "call": null, "text": "t", "finish_reason": "stop", '
        b'"model": "m", "prompt_tokens": 1, "completion_tokens": 1, "cost_usd": null}',
        b'{"kind": "release", "call": "c", "tokens": "many", "cost_usd": null}',
        b'{"kind": "reservation", "call": "c", "request_ids": null, "tokens": 5, "cost_usd": null}',
        b'{"kind": "batch", "call": "c", "batch_id": null}',
        b'{"kind": "release", "call": "c", "tokens": 1, "cost_usd": NaN}',
        b'{"kind": 3}',
        b"[]",
        b"[" * 100_000,
    ],
)
def test_a_line_of_another_shape_is_an_error_in_one_line(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "completions-0.jsonl"
    path.write_bytes(b'{"kind": "note"}\n' + line + b"\n")
    with pytest.raises(StageError, match="byte 17: not a journal line"):
        Answers(lambda: [path])
    with pytest.raises(StageError, match="byte 17: not a journal line"):
        spent([path])


def note(*texts: str) -> bytes:
    return b"".join(b'{"kind": "note", "text": "%s"}\n' % text.encode() for text in texts)


def test_the_union_holds_every_line_of_both_once(tmp_path: Path) -> None:
    first, second, target = (tmp_path / name for name in ("first", "second", "target"))
    first.write_bytes(note("a", "b", "c") + b'{"kind": "torn')
    second.write_bytes(note("a", "\u2028".encode().decode(), "b"))
    assert union_journals(first, second, target)
    assert target.read_bytes() == note("a", "b", "c", "\u2028")
    assert union_journals(first, second, second)
    assert second.read_bytes() == target.read_bytes()


def test_a_journal_that_holds_everything_is_not_touched(tmp_path: Path) -> None:
    older, newer = tmp_path / "older", tmp_path / "newer"
    older.write_bytes(note("a"))
    newer.write_bytes(note("a", "b") + b'{"kind": "to')  # a run may be appending to it
    number = newer.stat().st_ino
    assert not union_journals(older, newer, newer)
    assert newer.stat().st_ino == number
    assert newer.read_bytes().endswith(b'{"kind": "to')


@pytest.mark.parametrize("damage", [b"no json\n", b'{"kind": "completion"}\n', b"\n", b'"\xff"\n'])
@pytest.mark.parametrize("place", ["first", "second"])
def test_the_union_refuses_what_no_reader_can_read(tmp_path: Path, damage: bytes, place: str) -> None:
    paths: dict[str, Any] = {name: tmp_path / name for name in ("first", "second")}
    for name, path in paths.items():
        path.write_bytes(note("a", name) + (damage if name == place else b"") + note("z"))
    before = paths["second"].read_bytes()
    with pytest.raises(StageError, match=f"{place}: byte .*not a journal line"):
        union_journals(paths["first"], paths["second"], paths["second"])
    assert paths["second"].read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]
