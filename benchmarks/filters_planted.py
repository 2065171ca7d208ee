"""Precision and recall of each filter on planted defects: 10,000 rows, each defect made from SST-2 sentences.

python benchmarks/filters_planted.py --data DIR --models DIR [--json] [--only FILTER ...]

DIR of the data holds sst2/{train,dev,test}.jsonl; DIR of the models all-MiniLM-L6-v2 and SmolLM2-135M-Instruct. Every
filter judges all rows alone (perplexity: a sample), so a number says what that filter does, not what others left it.
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import normalised
from sentisynth_hub.filter.candidate_features import CandidateFeatures
from sentisynth_hub.filter.conflicting_labels import ConflictingLabels
from sentisynth_hub.filter.contract import Filter
from sentisynth_hub.filter.echo import Echo
from sentisynth_hub.filter.exact_duplicates import ExactDuplicates
from sentisynth_hub.filter.language import Language
from sentisynth_hub.filter.near_duplicates import NearDuplicates
from sentisynth_hub.filter.overlap import Overlap
from sentisynth_hub.filter.perplexity_window import PerplexityWindow
from sentisynth_hub.filter.personal_data import PersonalData
from sentisynth_hub.filter.refusals import Refusals
from sentisynth_hub.filter.teacher import Teacher, TeacherOptions
from sentisynth_hub.metrics.minhash import jaccard, shingles_of
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.recipe.filter_section import Encoder, Scorer


ROWS = 10_000
LABELS = ["negative", "positive"]
TEMPLATE = (
    "Write one film review that sounds like the examples.\n{% for d in shown %}\nReview: {{ d.text }}\n{% endfor %}"
)
PLANTED = {
    "exact copy": 400,
    "normalised copy": 500,
    "near copy, Jaccard 0.8 or more": 600,
    "near copy, Jaccard 0.5 to 0.7": 400,
    "test row": 400,
    "test row, changed in case and punctuation": 300,
    "validation row": 200,
    "demonstration": 200,
    "eight words of a test row": 300,
    "light rewrite of a test row": 400,
    "short test row inside another text": 100,
    "personal data": 300,
    "mask of a handle": 200,
    "prompt echo": 400,
    "label as annotation": 300,
    "wrong label": 700,
    "two labels": 400,
    "refusal or boilerplate": 500,
    "other script": 300,
    "other language": 200,
    "shuffled words": 400,
}
CAUGHT_BY: dict[str, list[str]] = {
    "exact_duplicates": ["exact copy", "normalised copy"],
    "near_duplicates": ["exact copy", "normalised copy", "near copy, Jaccard 0.8 or more"],
    "conflicting_labels": ["two labels"],
    "overlap, exact": [
        "test row",
        "test row, changed in case and punctuation",
        "validation row",
        "demonstration",
    ],
    "overlap, runs and rewrites": [
        "eight words of a test row",
        "light rewrite of a test row",
        "short test row inside another text",
    ],
    "personal_data": ["personal data"],
    "echo": ["prompt echo", "label as annotation"],
    "refusals": ["refusal or boilerplate"],
    "language": ["other script", "other language"],
    "teacher": ["wrong label"],
    "perplexity": ["shuffled words"],
}
REFUSALS = (
    "I'm sorry, but I can't write that review.",
    "As an AI language model, I have not seen {}",
    "Sure, here is a review for you: {}",
    "I cannot generate a text about {}",
    "Here are some examples of reviews: {}",
    "{} I hope this helps!",
    "I am unable to assist with a request about {}",
    "{} Let me know if you would like another one",
    "This review expresses a positive sentiment about {}",
    "I will not do that for {}",  # no phrase of the filter's: some must be missed
)
FOREIGN = {
    "de": ["der Film ist", "viel zu lang und", "ohne jede Spannung", "aber gut gespielt", "und schön gefilmt"],
    "fr": ["le film est", "beaucoup trop long", "sans aucune tension", "mais bien joué", "et joliment filmé"],
    "tr": ["film çok uzun", "ve hiç heyecan yok", "ama oyuncular iyi", "müzik de güzel", "sonu kötü bitiyor"],
}
SCRIPTS = ["фильм очень хороший", "यह फिल्म बहुत अच्छी है", "映画はとても良かった", "የፊልሙ ታሪክ ጥሩ ነው", "سینما بہت اچھی ہے"]


def read(data: Path, name: str) -> list[Row]:
    with open(data / "sst2" / f"{name}.jsonl", encoding="utf-8") as lines:
        return [Row(r["text"], r["label"], r["id"]) for r in map(json.loads, lines)]


class World:
    """Natural splits, candidates and what is wrong with each."""

    def __init__(self, data: Path):
        self.draw = random.Random(5)
        rows = list({normalised(row.text): row for row in read(data, "train")}.values())
        self.draw.shuffle(rows)
        held = {normalised(row.text) for name in ("dev", "test") for row in read(data, name)}
        rows = [row for row in rows if normalised(row.text) not in held]
        self.train, self.base = rows[:2500], rows[2500:]
        self.validation, self.test = read(data, "dev"), read(data, "test")
        self.demonstrations = self.train[:300]
        makers: dict[str, Callable[[Row], Row | None]] = self._makers()
        self.rows: list[Row] = []
        self.defects: list[str | None] = []
        wrong = PLANTED["wrong label"]
        clean = self.base[: ROWS - sum(PLANTED.values())]
        fresh = self.base[len(clean) :]
        for row in clean:
            self._add(row, None)
        for row in fresh[:wrong]:
            self._add(self._other_label(row), "wrong label")
        sources = [row for row in clean if len(row.text) > 40]
        for defect, count in PLANTED.items():
            made = 0
            while defect != "wrong label" and made < count:
                row = makers[defect](self.draw.choice(sources))
                if row is not None:
                    self._add(row, defect)
                    made += 1
        if len(self.rows) != ROWS:
            raise SystemExit(f"{len(self.rows)} rows made, {ROWS} wanted: the data holds too few sentences")

    def _makers(self) -> dict[str, Callable[[Row], Row | None]]:
        draw = self.draw
        return {
            "exact copy": lambda row: row,
            "normalised copy": lambda row: replace(row, text=self._dressed(row.text)),
            "near copy, Jaccard 0.8 or more": lambda row: self._near(row, 0.8, 1.0),
            "near copy, Jaccard 0.5 to 0.7": lambda row: self._near(row, 0.5, 0.7),
            "test row": lambda _: draw.choice(self.test),
            "test row, changed in case and punctuation": lambda _: self._dress(draw.choice(self.test)),
            "validation row": lambda _: draw.choice(self.validation),
            "demonstration": lambda _: draw.choice(self.demonstrations),
            "eight words of a test row": lambda row: self._with_run(row),
            "light rewrite of a test row": lambda _: self._rewritten(draw.choice(self.test)),
            "short test row inside another text": lambda row: self._with_short(row),
            "personal data": lambda row: replace(row, text=f"{row.text} {self._personal()}"),
            "mask of a handle": lambda row: replace(row, text=draw.choice(MASKED).format(row.text)),
            "prompt echo": lambda row: replace(row, text=draw.choice(self._echoes()).format(row.text)),
            "label as annotation": lambda row: replace(row, text=draw.choice(_ANNOTATED).format(row.text, row.label)),
            "two labels": lambda row: self._other_label(replace(row, text=row.text + " .")),
            "refusal or boilerplate": lambda row: replace(row, text=draw.choice(REFUSALS).format(row.text)),
            "other script": lambda row: replace(row, text=" ".join(draw.choices(SCRIPTS, k=2))),
            "other language": lambda row: replace(
                row, text=" ".join(draw.sample(FOREIGN[draw.choice(sorted(FOREIGN))], k=4))
            ),
            "shuffled words": lambda row: self._shuffled(row),
        }

    def _add(self, row: Row, defect: str | None) -> None:
        self.rows.append(replace(row, request_id=str(len(self.rows))))
        self.defects.append(defect)

    def _other_label(self, row: Row) -> Row:
        return replace(row, label=LABELS[1 - LABELS.index(row.label or "")])

    def _dressed(self, text: str) -> str:
        return self.draw.choice(("{}!!", "“{}”", "{}  https://a.b/c", "... {}")).format(
            text.upper().replace(" ,", ",")
        )

    def _dress(self, row: Row) -> Row:
        return replace(row, text=self._dressed(row.text))

    def _near(self, row: Row, low: float, high: float) -> Row | None:
        letters = list(row.text)
        for _ in range(self.draw.randint(1, max(1, len(letters) // (12 if low < 0.8 else 60)))):
            letters[self.draw.randrange(len(letters))] = self.draw.choice("aeiouxyz")
        changed = "".join(letters)
        similarity = jaccard(shingles_of(normalised(row.text)), shingles_of(normalised(changed)))
        return replace(row, text=changed) if low <= similarity < high else None

    def _with_run(self, row: Row) -> Row | None:
        own = row.text.split()
        middle = len(own) // 2
        whole = self.draw.choice(self.test).text.split()
        start = next((i for i in range(len(whole) - 9) if all(w.isalnum() for w in whole[i : i + 9])), None)
        return (
            None
            if start is None
            else replace(row, text=" ".join(own[:middle] + whole[start : start + 9] + own[middle:]))
        )

    def _rewritten(self, row: Row) -> Row | None:
        """A test row with few characters changed, a word left out or an ending added: five-character Jaccard 0.6."""
        changed = row.text
        for _ in range(self.draw.randint(1, 3)):
            changed = self.draw.choice((self._typo, self._longer, self._without_a_word))(changed)
        forms = normalised(row.text), normalised(changed)
        similarity = jaccard(*(shingles_of(form) for form in forms))
        return replace(row, text=changed) if similarity >= 0.6 and forms[0] != forms[1] else None

    def _typo(self, text: str) -> str:
        place = self.draw.randrange(len(text))
        return text[:place] + self.draw.choice("aeioust") + text[place + 1 :]

    def _longer(self, text: str) -> str:
        return text + self.draw.choice((" really", " !!", " ... ever", " honestly", " 😂"))

    def _without_a_word(self, text: str) -> str:
        words = text.split()
        return " ".join(words[: len(words) - 1]) if len(words) > 3 else text

    def _with_short(self, row: Row) -> Row | None:
        """A test row of fewer than eight words, whole, before another text."""
        short = self.draw.choice([test.text for test in self.test if 4 <= len(test.text.split()) < 8])
        return replace(row, text=f"{short} {row.text}") if len(normalised(short)) >= 20 else None

    def _personal(self) -> str:
        draw = self.draw
        name = "".join(draw.choices("abcdeiklmnorstu", k=draw.randint(4, 9)))
        digits = ["".join(draw.choices("0123456789", k=k)) for k in (3, 4, 5)]
        return draw.choice(
            (
                f"write to {name}@mail.org",
                f"{name}.{digits[0]}@web.co.in wrote it",
                f"call +91 98{digits[0]} {digits[2]}",
                f"text 07700 9{digits[2]}",
                f"(415) 2{digits[0][:2]}-{digits[1]}",
                f"@{name}{digits[0]} says so",
                f"thanks @{name}_",
                f"RT @ {name}{digits[0]} said",
            )
        )

    def _echoes(self) -> Sequence[str]:
        return (
            "Review: {}",
            "Write one film review that sounds like {}",
            "<|im_start|>{}",
            '{{"text": "{}"}}',
            "Label: {}",
        )

    def _shuffled(self, row: Row) -> Row | None:
        words = row.text.split()
        self.draw.shuffle(words)
        return replace(row, text=" ".join(words)) if len(words) >= 8 else None


MASKED = (  # and what else only looks like personal data
    "@user {}",
    "{} @USER_2",
    "@ user @ user {}",
    "{} at 7:30 @ the studio",
    "seen on 2019-11-25: {}",
    "{} 1,234,567 people agree",
    "{} (call it 10 / 10)",
)
_ANNOTATED = ("{1}: {0}", "{0} ({1})", "{0} -> {1}", "[{1}] {0}", "{0} #{1}")


def filters_of(world: World, models: Path) -> dict[str, Callable[[], Filter]]:
    """How each filter is made, as a recipe would."""
    sample = Sample(0, world.train, world.validation)
    natural = [*world.train, *world.validation]
    encoder = Encoder(model=str(models / "all-MiniLM-L6-v2"))
    options = TeacherOptions(teacher=encoder, min_confidence=0.5)
    held = {"test": world.test, "validation": world.validation, "demonstration": world.demonstrations}
    overlap = Overlap.against(held, 8)
    return {
        "exact_duplicates": ExactDuplicates,
        "near_duplicates": lambda: NearDuplicates(0.8),
        "conflicting_labels": lambda: ConflictingLabels.among(world.rows),
        "overlap, exact": lambda: overlap,
        "overlap, runs and rewrites": lambda: overlap,
        "echo": lambda: Echo.of_template(TEMPLATE, ngram=5, label_names=LABELS),
        "refusals": lambda: Refusals.unlike(natural),
        "language": lambda: Language.like(natural, ["en"], scripts=None, max_other_script=0.1, min_confidence=0.1),
        "personal_data": PersonalData,
        "teacher": lambda: Teacher.trained(sample, LABELS, options, CandidateFeatures(world.rows)),
        "perplexity": lambda: PerplexityWindow.window_of(
            world.validation[:400], Scorer(model=str(models / "SmolLM2-135M-Instruct")), (0.01, 0.99)
        ),
    }


def measure(world: World, models: Path, only: Sequence[str]) -> list[dict[str, Any]]:
    """One record a filter: rows judged, planted, found, flagged, recall, precision."""
    records = []
    for name, make in filters_of(world, models).items():
        if only and name.partition(",")[0] not in only:
            continue
        judged = _judged(world, name)
        decisions = make().judge([world.rows[number] for number in judged])
        kinds = {"overlap, exact": ("exact",), "overlap, runs and rewrites": ("ngram", "near")}.get(name, ("",))
        flagged = {
            n
            for n, decision in zip(judged, decisions, strict=True)
            if (decision.reason or "?").startswith(kinds) and not decision.keep
        }
        planted = _planted(world, name, judged)
        records.append(
            {
                "filter": name,
                "judged": len(judged),
                "planted": len(planted),
                "found": len(planted & flagged),
                "flagged": len(flagged),
                "recall": round(len(planted & flagged) / len(planted), 4),
                "precision": round(len(planted & flagged) / len(flagged), 4) if flagged else None,
                "others": dict(Counter(str(world.defects[n]) for n in flagged - planted).most_common(3)),
            }
        )
    return records


def _judged(world: World, name: str) -> list[int]:
    """Rows a filter judges: all; the teacher clean and flipped ones; perplexity a sample, as it is slow."""
    if name == "teacher":
        return [n for n, defect in enumerate(world.defects) if defect in (None, "wrong label")]
    if name != "perplexity":
        return list(range(ROWS))
    shuffled = [n for n, defect in enumerate(world.defects) if defect == "shuffled words"]
    clean = [n for n, defect in enumerate(world.defects) if defect is None]
    return [*shuffled[:200], *clean[:400]]


def _planted(world: World, name: str, judged: Sequence[int]) -> set[int]:
    """Rows that carry what the filter is for, counted independently of it.

    Copies are made of rows that other defects were made of too, so what is a duplicate is counted over all rows.
    """
    rows = world.rows
    if name == "conflicting_labels":
        labels: dict[str, set[str]] = {}
        for row in rows:
            labels.setdefault(normalised(row.text), set()).add(str(row.label))
        return {n for n in judged if len(labels[normalised(rows[n].text)]) > 1}
    if name == "exact_duplicates":
        first: dict[str, int] = {}
        return {n for n in judged if first.setdefault(normalised(rows[n].text), n) != n}
    if name == "near_duplicates":
        return _near_by_all_pairs([normalised(row.text) for row in rows])
    if name == "overlap, exact":
        held = {normalised(row.text) for row in (*world.test, *world.validation, *world.demonstrations)}
        return {n for n in judged if normalised(rows[n].text) in held}
    return {n for n in judged if world.defects[n] in CAUGHT_BY[name]}


def _near_by_all_pairs(forms: Sequence[str], limit: float = 0.8) -> set[int]:
    """Rows within `limit` of an earlier row that stays; every pair compared, by a sparse product."""
    import numpy as np
    from scipy.sparse import csr_matrix

    runs = [shingles_of(form) for form in forms]
    number = {run: place for place, run in enumerate(sorted(set().union(*runs)))}
    columns = np.array([number[run] for of_text in runs for run in of_text])
    sizes = np.array([len(of_text) for of_text in runs])
    matrix = csr_matrix((np.ones(len(columns), dtype=np.int32), columns, np.concatenate([[0], np.cumsum(sizes)])))
    shared = (matrix @ matrix.T).tocoo()
    close = shared.data / (sizes[shared.row] + sizes[shared.col] - shared.data) >= limit
    earlier: dict[int, list[int]] = {}
    for row, other in zip(shared.row[close], shared.col[close], strict=True):
        if other < row:
            earlier.setdefault(int(row), []).append(int(other))
    dropped: set[int] = set()
    for row in sorted(earlier):
        if any(other not in dropped for other in earlier[row]):
            dropped.add(row)
    return dropped


def table(records: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| filter | rows judged | planted | found | recall | flagged | precision |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in records:
        precision = "" if r["precision"] is None else f"{r['precision']:.3f}"
        lines.append(
            f"| {r['filter']} | {r['judged']:,} | {r['planted']:,} | {r['found']:,} | {r['recall']:.3f} "
            f"| {r['flagged']:,} | {precision} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--only", nargs="*", default=[], help="names of filters to measure, e.g. overlap")
    arguments = parser.parse_args()
    world = World(arguments.data)
    records = measure(world, arguments.models, arguments.only)
    print(table(records))
    if arguments.json:
        print(json.dumps({"planted": PLANTED, "filters": records}, ensure_ascii=False))


if __name__ == "__main__":
    main()
