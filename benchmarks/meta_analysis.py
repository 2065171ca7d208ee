"""All shipped studies as one table and one forest plot, with a random-effects summary.

    python benchmarks/meta_analysis.py

Reads docs/results/evaluations/, trains nothing, and writes docs/results/studies.md and docs/images/studies.png. The
summary is statsmodels': between-study variance by Paule and Mandel, the interval by Hartung and Knapp. `--json` prints
one object as the last line: `studies`, `helps`, `hurts`, and the summary of each group.
"""

# ruff: noqa: E501 (the sentences of the page are kept whole)

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from measuring import points
from statsmodels.stats.meta_analysis import combine_effects
from stored_studies import StoredStudy, stored_studies

from sentisynth_hub.verdict.evaluation import Evaluation
from sentisynth_hub.verdict.evaluation_parts import Comparison


DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "results" / "studies.md"
FIGURE = DOCS / "images" / "studies.png"
LEAST_STUDIES = 3
"""Fewer studies in a group get no summary."""
COLOURS = {"helps": "#1b7837", "hurts": "#b2182b"}

Studies = list[tuple[StoredStudy, Evaluation]]


def summaries(studies: Studies) -> list[tuple[str, dict[str, float]]]:
    """The random-effects mean of each task and number of labels that has studies enough, in points."""
    groups: dict[str, list[Comparison]] = defaultdict(list)
    for study, evaluation in studies:
        effect = evaluation.against("mixed", "natural")
        if effect.standard_error:
            groups[f"{study.task}, {study.labels:,} labels a class"].append(effect)
    return [(name, summary(effects)) for name, effects in groups.items() if len(effects) >= LEAST_STUDIES]


def summary(effects: list[Comparison]) -> dict[str, float]:
    """Mean, its 95 % interval, and the standard deviation between studies."""
    differences = np.array([100 * effect.difference for effect in effects])
    variances = np.array([(100 * effect.standard_error) ** 2 for effect in effects])
    found = combine_effects(differences, variances, method_re="iterated", use_t=True)
    low, high = found.conf_int(use_t=True)[1]  # fixed, random, and both again with the scale estimated
    return {
        "studies": len(effects), "mean": round(float(found.mean_effect_re), 2), "low": round(float(low), 2),
        "high": round(float(high), 2), "between": round(float(np.sqrt(max(found.tau2, 0.0))), 2),
    }  # fmt: skip


def page(studies: Studies, groups: list[tuple[str, dict[str, float]]]) -> str:
    """The results page."""
    lines = [
        "# All studies in one table",
        "",
        "**Question.** Over every study that ships with this repository: do synthetic rows help beside human labels that",
        "all train?",
        "",
        "**Command.** `python benchmarks/meta_analysis.py`, from the evaluations in `docs/results/evaluations/`, which the",
        "studies' own commands write.",
        "",
        "**Set-up.** `mixed` − `natural`, in points, with the 95 % interval of each study's design. Both train on the same",
        "labels; `natural` is the best of what needs no language model, chosen by cross-validation.",
        "",
        "![Every study with its interval](../images/studies.png)",
        "",
        "| task | labels a class | writer | rows | student | `natural` | `mixed` − `natural` | verdict |",
        "|---|---:|---|---:|---|---:|---:|---|",
    ]
    for study, evaluation in studies:
        effect = evaluation.against("mixed", "natural")
        cells = [
            f"[{study.task}]({study.page})", f"{study.labels:,}", study.writer, f"{study.rows:,}", study.student,
            f"{100 * evaluation.variant('natural').mean:.1f}", points(effect), evaluation.verdict.outcome,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "## By labels",
        "",
        "| group | studies | mean effect | between studies (sd) |",
        "|---|---:|---:|---:|",
    ]
    for name, found in groups:
        mean = f"{found['mean']:+.1f} [{found['low']:+.1f}, {found['high']:+.1f}]"
        lines.append(f"| {name} | {found['studies']} | {mean} | {found['between']:.1f} |")
    lines += [
        "",
        "Random effects: Paule and Mandel's variance between studies, Hartung and Knapp's interval, both by statsmodels.",
        "",
        "**Limits.** The studies of one task and one number of labels draw the same human labels and share the test rows, so",
        "they are not independent, and a summary's interval is narrower than that of as many new tasks. It describes these",
        "studies; it does not say what another task would give.",
    ]
    return "\n".join(lines) + "\n"


def draw(studies: Studies, groups: list[tuple[str, dict[str, float]]], path: Path) -> None:
    """The forest plot, studies from above and summaries below."""
    from matplotlib.figure import Figure

    rows: list[tuple[str, float, tuple[float, float], str, str]] = []
    for study, evaluation in studies:
        effect = evaluation.against("mixed", "natural")
        low, high = effect.interval or (effect.difference, effect.difference)
        name = f"{study.task} · {study.labels:,} labels a class · {study.rows:,} rows by {study.writer}"
        colour = COLOURS.get(evaluation.verdict.outcome, "#555555")
        rows.append((name, 100 * effect.difference, (100 * low, 100 * high), colour, "o"))
    rows += [(f"mean: {name}", found["mean"], (found["low"], found["high"]), "black", "D") for name, found in groups]
    figure = Figure(figsize=(10, 1 + 0.27 * len(rows)), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    for place, (_, mean, (low, high), colour, marker) in enumerate(rows):
        axes.plot([low, high], [place, place], color=colour, linewidth=1.6)
        axes.plot([mean], [place], marker=marker, color=colour, markersize=5)
    axes.axvline(0, color="#999999", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("mixed − natural, points, 95 % intervals (green: helps, red: hurts)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the same: nothing is trained")
    parser.add_argument("--json", action="store_true", help="last line: one object")
    arguments = parser.parse_args()
    studies = stored_studies()
    groups = summaries(studies)
    text = page(studies, groups)
    PAGE.write_text(text, "utf-8")
    draw(studies, groups, FIGURE)
    print(text)
    if arguments.json:
        outcomes = [evaluation.verdict.outcome for _, evaluation in studies]
        result: dict[str, Any] = {
            "studies": len(studies),
            "helps": outcomes.count("helps"),
            "hurts": outcomes.count("hurts"),
        }
        print(json.dumps(result | {"summaries": dict(groups)}))


if __name__ == "__main__":
    main()
