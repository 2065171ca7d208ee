"""Every speed beside its peer, in one table: what `make bench` runs.

    python benchmarks/bench.py [--only NAME ...] [--repeats N] [--out FILE]

Each benchmark runs in its quick form, in a process of its own, `--repeats` times by turns, so that a busy moment hits
few of one's runs. A ratio above 1 says that we are faster than the peer; the table has the median and the smallest
and largest of the repeats. FILE (docs/results/bench.json) keeps every number with the machine and the versions.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sources import model, reviews


HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FIGURES = {
    "publishing": {
        "seconds_vs_push_to_hub": "Dataset.push_to_hub, card and tag: first publish",
        "seconds_vs_push_to_hub_1_percent": "the same, 1 % of the rows changed",
        "seconds_vs_push_to_hub_no_op": "the same, nothing changed",
    },
    "filters": {
        "dedup_vs_datasketch": "datasketch, near-duplicates",
        "perplexity_vs_padded": "padded batches in the order given",
        "perplexity_vs_lmppl": "lmppl",
        "teacher_vs_pipeline": 'pipeline("text-classification")',
    },
    "generation": {
        "local_vs_pipeline": 'pipeline("text-generation"), bfloat16',
        "local_vs_batches": "generate on padded batches",
        "local_vs_llama_cpp": "llama.cpp's server, float32",
        "endpoint_efficiency": "the ideal of a server of fixed latency",
        "gather_efficiency": "(a plain asyncio.gather, beside the ideal)",
    },
    "training": {
        "steps_vs_trainer": "transformers' Trainer",
        "grid_vs_trainer": "Trainer runs, thirty heads",
        "heads_vs_sklearn_100_rows": "LogisticRegressionCV",
    },
    "hub": {"download_vs_http_server": "http.server, downloads"},
}
"""The figures of the table by benchmark: key in its JSON, and what it stands beside."""
PACKAGES = ("torch", "transformers", "datasets", "huggingface_hub", "datasketch", "lmppl", "xllamacpp", "numpy")


def command(name: str) -> list[str]:
    """The quick form of a benchmark."""
    data = ["--model", str(model("all-MiniLM-L6-v2")), "--data", str(reviews())] if name == "training" else []
    return [sys.executable, str(HERE / f"{name}.py"), *data, "--quick", "--json"]


def run(name: str) -> dict[str, Any]:
    """One run of a benchmark: the JSON object it ends with.

    Raises:
        RuntimeError: It failed; with the end of what it said.
    """
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(command(name), capture_output=True, text=True, env=environment, cwd=ROOT)
    if done.returncode != 0:
        raise RuntimeError(f"{name}.py failed: " + " ".join(done.stderr.strip().split("\n")[-3:]))
    found: dict[str, Any] = json.loads(done.stdout.strip().split("\n")[-1])
    for round_, ratio in found.get("seconds_vs_push_to_hub_by_round", {}).items():
        found["seconds_vs_push_to_hub_" + round_.replace(" %", "_percent").replace("-", "_")] = ratio
    return found


def table(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The table as Markdown lines; a figure that no run has (its peer is not installed) is left out."""
    lines = ["| figure | beside | median | smallest | largest |", "| --- | --- | ---: | ---: | ---: |"]
    for name, runs in found.items():
        for key, peer in FIGURES[name].items():
            values = [run[key] for run in runs if run.get(key) is not None]
            if values:
                numbers = statistics.median(values), min(values), max(values)
                lines.append(f"| `{key}` | {peer} | " + " | ".join(f"{number:.2f}" for number in numbers) + " |")
    return lines


def machine() -> dict[str, Any]:
    """What ran, in words that say nothing of whose machine it is."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().split("\n") if "model name" in line),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 10**9
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_at_start": round(os.getloadavg()[0], 1),
    }


def versions() -> dict[str, str]:
    """Of everything that is measured or measured against."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    """Run the benchmarks by turns, print the table, keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(FIGURES), default=list(FIGURES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "bench.json")
    options = parser.parse_args()
    kept = {"machine": machine(), "versions": versions(), "repeats": options.repeats}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only}
    failed: dict[str, str] = {}
    for turn in range(options.repeats):
        for name in options.only:
            if name in failed:
                continue
            started = time.monotonic()
            try:
                found[name].append(run(name))
            except RuntimeError as error:
                failed[name] = str(error)
            print(f"{name}, {turn + 1} of {options.repeats}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    print("\n".join(table(found)))
    options.out.write_text(json.dumps({**kept, "runs": found}, indent=1, sort_keys=True) + "\n", "utf-8")
    print(f"kept in {options.out}", file=sys.stderr)
    for message in failed.values():
        print(message, file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
