"""Speed of the filters beside their peers, in one run: ratios above 1 mean that we are faster.

python benchmarks/filters.py [--models DIR] [--quick] [--json] [--only NAME ...]

perplexity_vs_padded   texts in the order given, padded, full logits, as `evaluate` does; same model and batch size
perplexity_vs_lmppl    lmppl's own scoring loop (left out where lmppl is not installed); same model and batch size
dedup_vs_datasketch    MinHash.update per shingle, MinHashLSH, exact Jaccard on what it finds; recall beside it
teacher_vs_pipeline    transformers' pipeline("text-classification", batch_size=32); same encoder
scaling                the whole chain on 1,000 to 300,000 rows, features and perplexities given

Ratios are of CPU seconds, which other work on the machine disturbs least; wall seconds stand beside them. Texts are
made up of word lists, with the skewed lengths of comments. DIR holds SmolLM2-135M-Instruct and multilingual-e5-small;
left out, the models are those of the quickstart, all-MiniLM-L6-v2 in place of the latter. benchmarks/peers.txt
installs the peers.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sources
from measuring import peak_memory_mb


SEED = 11


def made_up_texts(count: int, seed: int = SEED) -> list[str]:
    """Comments of word-list words, mostly short, some long."""
    from sentisynth_hub.metrics.word_languages import LEXICONS

    words = [
        word
        for name in ("ml-Latn", "en")
        for line in (LEXICONS / f"{name}.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
        for word in line.split()
    ]
    draw = random.Random(seed)
    return [" ".join(draw.choices(words, k=min(80, 3 + int(draw.expovariate(1 / 9))))) for _ in range(count)]


class Timed:
    """CPU and wall seconds of a call, the best of `rounds`."""

    def __init__(self, call: Callable[[], Any], rounds: int = 1):
        self.cpu = self.wall = float("inf")
        for _ in range(rounds):
            cpu, wall = time.process_time(), time.perf_counter()
            self.result = call()
            self.cpu = min(self.cpu, time.process_time() - cpu)
            self.wall = min(self.wall, time.perf_counter() - wall)


def beside(key: str, ours: Timed, peer: Timed) -> dict[str, Any]:
    return {
        key: round(peer.cpu / ours.cpu, 2),
        f"{key}_wall": round(peer.wall / ours.wall, 2),
        f"{key}_cpu_seconds": {"ours": round(ours.cpu, 2), "peer": round(peer.cpu, 2)},
    }


def perplexity(models: Path | None, quick: bool) -> dict[str, Any]:
    """Ours against padded batches in the order given, and against lmppl."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from sentisynth_hub.pretrained.perplexity import perplexities

    folder = str(models / "SmolLM2-135M-Instruct" if models is not None else sources.model("SmolLM2-135M-Instruct"))
    texts = made_up_texts(96 if quick else 256)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    torch.set_num_threads(2)

    def padded() -> list[float]:
        values = []
        for start in range(0, len(texts), 32):
            batch = [tokenizer.bos_token + text for text in texts[start : start + 32]]
            inputs = tokenizer(
                batch, padding=True, padding_side="right", return_tensors="pt", add_special_tokens=False
            )
            with torch.no_grad():
                logits = model(**inputs).logits[:, :-1]
            labels, mask = inputs["input_ids"][:, 1:], inputs["attention_mask"][:, 1:].float()
            losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
            values += torch.exp((losses * mask).sum(1) / mask.sum(1)).tolist()
        return values

    perplexities(texts[:2], folder)  # load the model outside the timing
    ours, theirs = Timed(lambda: perplexities(texts, folder)), Timed(padded)
    difference = max(abs(a / b - 1) for a, b in zip(ours.result, theirs.result, strict=True))
    found = beside("perplexity_vs_padded", ours, theirs) | {"perplexity_max_difference": float(f"{difference:.2g}")}
    try:
        from lmppl import LM
    except ImportError:
        return found
    scorer = LM.__new__(
        LM
    )  # its __init__ passes arguments that transformers 5 no longer takes; the scoring is its own
    scorer.tokenizer, scorer.model, scorer.max_length = tokenizer, model, None
    scorer.pad_token_initialized, scorer.device = False, model.device
    scorer.loss_fct = torch.nn.CrossEntropyLoss(reduction="none")
    return found | beside("perplexity_vs_lmppl", ours, Timed(lambda: scorer.get_perplexity(texts, batch_size=32)))


def planted(count: int) -> tuple[list[str], list[tuple[int, int]]]:
    """Normalised texts, a tenth of them copies of earlier ones with a few characters changed; and those pairs."""
    from sentisynth_hub.core.text import normalised

    draw = random.Random(SEED)
    forms = [normalised(text) for text in made_up_texts(count)]
    pairs = []
    for number in draw.sample(range(count // 2, count), count // 10):
        source = draw.randrange(count // 2)
        letters = list(forms[source])
        for _ in range(max(1, len(letters) // 60)):
            letters[draw.randrange(len(letters))] = draw.choice("aeiou")
        forms[number] = "".join(letters)
        pairs.append((number, source))
    return forms, pairs


def dedup(models: Path | None, quick: bool) -> dict[str, Any]:
    """Ours against datasketch's update loop, both with exact Jaccard on what they bring up."""
    from datasketch import MinHash, MinHashLSH

    from sentisynth_hub.metrics.minhash import jaccard, nearest_earlier, shingles_of

    limit = 0.8
    forms, pairs = planted(2000 if quick else 20_000)
    wanted = {row for row, source in pairs if jaccard(shingles_of(forms[row]), shingles_of(forms[source])) >= limit}

    def datasketch() -> set[int]:
        index = MinHashLSH(threshold=limit, num_perm=128)
        kept: dict[int, frozenset[str]] = {}
        dropped = set()
        for row, form in enumerate(forms):
            runs = shingles_of(form)
            signature = MinHash(num_perm=128)
            for run in runs:
                signature.update(run.encode("utf-8"))
            if any(jaccard(runs, kept[other]) >= limit for other in index.query(signature)):
                dropped.add(row)
            else:
                kept[row] = runs
                index.insert(row, signature)
        return dropped

    def ours_() -> set[int]:
        return {row for row, value in enumerate(nearest_earlier(forms, limit)) if value >= limit}

    ours, theirs = Timed(ours_, rounds=3), Timed(datasketch)
    recall = {
        name: round(len(found & wanted) / len(wanted), 4)
        for name, found in (("ours", ours.result), ("peer", theirs.result))
    }
    return beside("dedup_vs_datasketch", ours, theirs) | {
        "dedup_recall": recall,
        "dedup_rows": len(forms),
        "dedup_rows_per_second": round(len(forms) / ours.wall),
    }


def teacher(models: Path | None, quick: bool) -> dict[str, Any]:
    """Frozen encoder and logistic regression against the pipeline of the same encoder with a classification layer."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    from sentisynth_hub.core.rows import Row
    from sentisynth_hub.filter.candidate_features import CandidateFeatures
    from sentisynth_hub.filter.teacher import Teacher, TeacherOptions
    from sentisynth_hub.natural.splits import Sample
    from sentisynth_hub.recipe.filter_section import Encoder

    folder = str(models / "multilingual-e5-small" if models is not None else sources.model("all-MiniLM-L6-v2"))
    texts = made_up_texts(256 if quick else 2000)
    rows = [Row(text, ("negative", "positive")[number % 2], str(number)) for number, text in enumerate(texts)]
    sample = Sample(0, rows[:40], rows[40:80])
    options = TeacherOptions(teacher=Encoder(model=folder), min_confidence=0.5)
    judge = Teacher.trained(sample, ["negative", "positive"], options, CandidateFeatures())
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    torch.set_num_threads(2)
    classify = pipeline("text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(folder))
    ours = Timed(lambda: judge.judge(rows))
    theirs = Timed(lambda: classify(texts, batch_size=32, truncation=True, max_length=128))
    return beside("teacher_vs_pipeline", ours, theirs) | {"teacher_rows": len(rows)}


def scaling(models: Path | None, quick: bool) -> dict[str, Any]:
    """The chain on growing corpora, each in a process of its own: CPU seconds and peak memory."""
    sizes = [1000, 10_000] if quick else [1000, 10_000, 100_000, 300_000]
    found = []
    for size in sizes:
        command = [sys.executable, __file__, "--chain", str(size)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    first, last = found[-2], found[-1]
    grown = np.log(last["cpu_seconds"] / first["cpu_seconds"]) / np.log(last["rows"] / first["rows"])
    return {"scaling": found, "scaling_exponent": round(float(grown), 3)}


def chain(size: int) -> dict[str, Any]:
    """Every filter on `size` made-up rows; features and perplexities are random numbers in place of models."""
    from sentisynth_hub.core.log import set_quiet
    from sentisynth_hub.core.rows import Row
    from sentisynth_hub.filter import candidate_features as features
    from sentisynth_hub.filter import perplexity_window as perplexity_filter
    from sentisynth_hub.filter.apply import build_filters, run_filters
    from sentisynth_hub.filter.contract import FilterContext
    from sentisynth_hub.natural.splits import NaturalData, Sample
    from sentisynth_hub.recipe import load_recipe

    def vectors(texts: Sequence[str], *_: Any, **__: Any) -> Any:
        return np.random.default_rng(len(texts)).standard_normal((len(texts), 384), dtype=np.float32)

    def numbers(texts: Sequence[str], *_: Any, **__: Any) -> Any:
        return np.random.default_rng(len(texts)).lognormal(5, 1, len(texts))

    features.embed, perplexity_filter.perplexities = vectors, numbers
    set_quiet(True)
    labels = ["negative", "positive"]
    with tempfile.TemporaryDirectory() as folder:
        recipe = load_recipe(str(_chain_recipe(Path(folder), size)))
        rows = [Row(text, labels[n % 2], str(n)) for n, text in enumerate(made_up_texts(size))]
        natural = [Row(text, labels[n % 2], f"n{n}") for n, text in enumerate(made_up_texts(4000, SEED + 1))]
        data = NaturalData(natural[:2000], natural[2000:3000], natural[3000:])
        cpu, wall = time.process_time(), time.perf_counter()
        sample = Sample(0, data.train, data.validation)
        context = FilterContext(recipe, sample, data, rows, [], features.CandidateFeatures(rows), None)
        kept, rejected = run_filters(build_filters(context), rows)
    assert len(kept) + len(rejected) == size
    return {
        "rows": size,
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "wall_seconds": round(time.perf_counter() - wall, 2),
        "peak_memory_gb": round(peak_memory_mb() / 1000, 3),
        "kept": len(kept),
    }


def _chain_recipe(folder: Path, size: int) -> Path:
    encoder = {"model": "given"}
    content = {
        "name": "chain",
        "description": "Every filter.",
        "language": ["ml-Latn", "en"],
        "labels": ["negative", "positive"],
        "natural": {"files": {"train": "none.csv"}},
        "generate": {"generator": {"kind": "openai", "model": "none"}, "candidates": 2},
        "filter": {
            "length": {"min_tokens": 2},
            "language": {},
            "echo": {},
            "refusals": {},
            "personal_data": {},
            "conflicting_labels": {},
            "exact_duplicates": {},
            "near_duplicates": {},
            "overlap": {},
            "code_mixing": {},
            "semantic_duplicates": {"encoder": encoder},
            "teacher": {"teacher": encoder, "min_confidence": 0.0},
            "perplexity": {"scorer": {"model": "given"}},
            "diversity": {"encoder": encoder, "size": max(2, size // 4)},
        },
        "study": {"student": encoder},
    }
    (folder / "prompt.jinja2").write_text("{{ verbalizer }} review:", "utf-8")
    (folder / "recipe.yaml").write_text(json.dumps(content), "utf-8")
    return folder / "recipe.yaml"


PARTS = {"perplexity": perplexity, "dedup": dedup, "teacher": teacher, "scaling": scaling}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="left out: models out of packages")
    parser.add_argument("--quick", action="store_true", help="about a minute")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--chain", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.chain is not None:
        print(json.dumps(chain(arguments.chain)))
        return
    found: dict[str, Any] = {}
    for name in arguments.only:
        found |= PARTS[name](arguments.models, arguments.quick)
    for key, value in found.items():
        print(f"{key:<36} {value}")
    if arguments.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
