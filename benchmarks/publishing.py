"""Publishing beside `Dataset.push_to_hub` + card push + tag: commits, requests, bytes, seconds, on the embedded Hub.

    python benchmarks/publishing.py [--quick] [--json] [--rows N]

Both publish the same four tables of the same rows. First publish, the same again, then 1 % of the rows changed. Ours
includes what the peer does not do at all: digests, the leakage and personal-data look, licences, statistics, diff,
card, changelog and manifest.
"""

import argparse
import hashlib
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentisynth_hub.core.rows import Rejected, Row
from sentisynth_hub.localhub.control import client_environment, start, stop


if TYPE_CHECKING:
    from sentisynth_hub.publish.release import DatasetRelease

ROUNDS = ("first", "no-op", "1 %")
WORDS = [
    "film",
    "story",
    "actor",
    "scene",
    "plot",
    "music",
    "slow",
    "funny",
    "dull",
    "bright",
    "long",
    "short",
    "warm",
    "cold",
    "clever",
    "loud",
    "quiet",
    "strange",
    "dark",
    "plain",
    "honest",
    "cheap",
    "moving",
    "tired",
    "sharp",
    "soft",
    "early",
    "late",
    "rich",
    "poor",
    "grand",
    "small",
    "young",
    "old",
    "new",
    "fresh",
    "stale",
    "kind",
    "cruel",
    "gentle",
]


def corpus(rows: int, changed: bool) -> tuple[list[Row], list[Rejected]]:
    """Kept rows (four fifths) and rejected ones; `changed`: 1 % of the kept rows are other texts."""
    draw = random.Random(0)
    made = [
        Row(
            " ".join(draw.choices(WORDS, k=draw.randint(6, 18))) + f" {i}",
            ("negative", "positive")[i % 2],
            request_id=hashlib.sha256(b"%d" % i).hexdigest()[:16],  # as the generate stage names them
            asked_label=("negative", "positive")[i % 2],
            prompt_id=hashlib.sha256(b"prompt %d" % (i // 32)).hexdigest()[:16],
            language="en",
            generator="models/writer",
            num_shots=8,
            scores={"teacher_confidence": draw.random(), "perplexity": 50 * draw.random()},
        )
        for i in range(rows)
    ]
    kept = [row for i, row in enumerate(made) if i % 5]
    if changed:
        kept = [replace(row, text=row.text + " changed") if i % 100 == 0 else row for i, row in enumerate(kept)]
    return kept, [Rejected(row, "teacher", "unsure", 0.3) for i, row in enumerate(made) if i % 5 == 0]


class Counter:
    """Counts requests and bytes that the clients of this process send."""

    def __init__(self) -> None:
        self.requests = self.bytes = 0

    def install(self) -> None:
        """Let every client made from now on be counted."""
        import httpx2
        from huggingface_hub import close_session, set_client_factory

        def sent(request: Any) -> None:
            self.requests += 1
            self.bytes += int(request.headers.get("content-length", 0))

        hooks = {"request": [sent]}
        set_client_factory(lambda: httpx2.Client(event_hooks=hooks, follow_redirects=True, timeout=None))
        close_session()


def ours(repo_id: str, given: "DatasetRelease") -> None:
    """Publish with sentisynth-hub what a run hands over; making that is not counted."""
    from sentisynth_hub.publish.commit import publish_dataset

    publish_dataset(given, repo_id)


def peer_tables(given: "DatasetRelease") -> dict[str, Any]:
    """The same tables as `datasets.Dataset`s; making them is not counted."""
    import pyarrow as pa
    from datasets import ClassLabel, Dataset, Features, List, Value

    from sentisynth_hub.publish.dataset_tables import dataset_tables

    def feature(kind: str) -> Any:
        if kind == "label":
            return ClassLabel(names=given.recipe.labels)
        return List(Value(kind[5:-1])) if kind.startswith("list<") else Value(kind)

    tables = {}
    for name, table in dataset_tables(given, [False] * len(given.rejected), "").items():
        features = Features({column: feature(kind) for column, kind in table.kinds.items()})
        tables[name] = Dataset(pa.table(table.arrays, schema=features.arrow_schema))
    return tables


def peer(repo_id: str, tables: dict[str, Any], tag: str) -> None:
    """What a careful user writes by hand: each config, the card, the tag."""
    from huggingface_hub import DatasetCard, HfApi

    for name, table in tables.items():
        table.push_to_hub(repo_id, config_name=name, private=True)
    card = DatasetCard.load(repo_id)
    card.data.license = "cc-by-4.0"
    card.text = f"\n# Tiny\n\n{tables['default'].num_rows} rows.\n"
    card.push_to_hub(repo_id, repo_type="dataset")
    with suppress(Exception):  # the tag of an unchanged version is there already
        HfApi().create_tag(repo_id, tag=tag, repo_type="dataset")


def measure(rows: int, work: Path) -> dict[str, Any]:
    """Both contenders through the three rounds, alternating."""
    from huggingface_hub import HfApi

    from tests.support.releases import release

    counter = Counter()
    counter.install()
    api = HfApi()
    few = release(work, *corpus(100, changed=False))  # what both load at their first publish is counted for neither
    ours("bench/warm-ours", few)
    peer("bench/warm-peer", peer_tables(few), "v1.0.0")
    found: dict[str, Any] = {"rows": rows, "rounds": {}}
    before = {"ours": 0, "peer": 0}
    for number, name in enumerate(ROUNDS):
        given = release(work, *corpus(rows, changed=name == "1 %"))
        tables = peer_tables(given)
        contenders: dict[str, Callable[[], None]] = {
            "ours": lambda given=given: ours("bench/ours", given),  # type: ignore[misc]
            "peer": lambda tables=tables, number=number: peer("bench/peer", tables, f"v1.{number}.0"),  # type: ignore[misc]
        }
        found["rounds"][name] = {}
        for who, publish in contenders.items():
            counter.requests = counter.bytes = 0
            started, cpu = time.perf_counter(), time.process_time()
            publish()
            seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
            requests, sent = counter.requests, counter.bytes
            commits = len(api.list_repo_commits(f"bench/{who}", repo_type="dataset")) - 1
            found["rounds"][name][who] = {
                "commits": commits - before[who],
                "requests": requests,
                "bytes": sent,
                "seconds": round(seconds, 3),
                "cpu_seconds": round(cpu, 3),  # of the publisher, without the Hub's; says more on a busy machine
            }
            before[who] = commits
    rounds = found["rounds"]
    ratios = {name: round(each["peer"]["seconds"] / each["ours"]["seconds"], 2) for name, each in rounds.items()}
    return {
        "commits_first": rounds["first"]["ours"]["commits"],
        "commits_noop": rounds["no-op"]["ours"]["commits"],
        "seconds_vs_push_to_hub": ratios["first"],
        "seconds_vs_push_to_hub_by_round": ratios,
        **found,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20,000 rows instead of 100,000")
    parser.add_argument("--rows", type=int, help="rows in all")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    rows = options.rows or (20_000 if options.quick else 100_000)
    with tempfile.TemporaryDirectory(prefix="sentisynth-bench-") as folder:
        work = Path(folder)
        state = start(work / "hub", 0)
        try:
            os.environ.update(client_environment(state))
            import datasets
            import pandas  # noqa: F401  (pyarrow loads it at its first conversion: neither contender is charged with imports)

            datasets.disable_progress_bars()
            found = measure(rows, work)
        finally:
            stop(work / "hub")
    for name, round_ in found["rounds"].items():
        for who, numbers in round_.items():
            print(f"{name:<6} {who:<5} " + "  ".join(f"{key} {value:,}" for key, value in numbers.items()))
    ratios = ", ".join(f"{name} {ratio} x" for name, ratio in found["seconds_vs_push_to_hub_by_round"].items())
    print(f"as fast as push_to_hub + card + tag, {rows:,} rows: {ratios}")
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
