"""What a teacher of few human labels knows, and what it then drops: SST-2 labels, reviews written by a language model.

python benchmarks/filters_teacher.py --data DIR --models DIR [--rows 150]

DIR of the data holds sst2/train.jsonl and movie_writers/vicuna-7b-1.5v.jsonl; DIR of the models all-MiniLM-L6-v2. The
written rows are nearly all labelled rightly, so a row that is dropped is mostly a right one.
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np

from sentisynth_hub.core.rows import Row
from sentisynth_hub.filter.candidate_features import CandidateFeatures
from sentisynth_hub.filter.teacher import Teacher, TeacherOptions
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.recipe.filter_section import Encoder


LABELS = ["negative", "positive"]
SIZES = (5, 10, 25, 50, 100, 150)
DRAWS = 3


def read(path: Path) -> list[Row]:
    with open(path, encoding="utf-8") as lines:
        return [Row(r["text"], r["label"], r["id"]) for r in map(json.loads, lines)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=150, help="written rows that are judged")
    arguments = parser.parse_args()
    draw = random.Random(1)
    train = read(arguments.data / "sst2" / "train.jsonl")
    pool = [row for label in LABELS for row in draw.sample([r for r in train if r.label == label], max(SIZES))]
    written = draw.sample(read(arguments.data / "movie_writers" / "vicuna-7b-1.5v.jsonl"), arguments.rows)
    options = TeacherOptions(teacher=Encoder(model=str(arguments.models / "all-MiniLM-L6-v2"), threads=1))
    features = CandidateFeatures([*pool, *written])
    print("| labels a class | right on unseen human rows | 95 % interval | abstains | rows kept | agrees with |")
    print("|---|---|---|---|---|---|")
    for size in SIZES:
        for number in range(DRAWS):
            draw = random.Random(number)
            rows = [row for label in LABELS for row in draw.sample([r for r in pool if r.label == label], size)]
            teacher = Teacher.trained(Sample(number, rows, []), LABELS, options, features)
            decisions = teacher.judge(written)
            skill, kept = teacher.facts().skill, sum(decision.keep for decision in decisions)
            agreeing = np.mean([(decision.score or 0) > 0.5 for decision in decisions])
            print(
                f"| {size} | {skill.balanced_accuracy:.2f} | {skill.low:.2f} to {skill.high:.2f} "
                f"| {'yes' if teacher.facts().abstains else 'no'} | {kept} of {len(written)} | {agreeing:.0%} |"
            )


if __name__ == "__main__":
    main()
