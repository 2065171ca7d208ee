"""A synthetic corpus beside a natural one, from whatever holds their rows.

print(corpus_report("synthetic.csv", natural_frame, text="review", label="stars"))
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.metrics.corpus_report import compare_corpora
from sentisynth_hub.publish.given_tables import read_given


class CorpusReport(dict[str, Any]):
    """The comparison as nested dictionaries (keys as `metrics.corpus_report.compare_corpora` has them), which prints
    itself as a table."""

    def rows(self) -> Iterator[tuple[str, Any, Any, Any]]:
        """Every number that both sides have: name, synthetic, natural, distance (None where there is none)."""
        yield from _flat(self)

    def frame(self) -> Any:
        """A pandas DataFrame with the columns `measure`, `synthetic`, `natural`, `distance`."""
        import pandas as pd

        return pd.DataFrame(list(self.rows()), columns=["measure", "synthetic", "natural", "distance"])

    def __str__(self) -> str:
        lines = [f"{'':<34} {'synthetic':>12} {'natural':>12} {'distance':>9}"]
        for name, ours, theirs, distance in self.rows():
            lines.append(f"{name:<34} {_shown(ours):>12} {_shown(theirs):>12} {_shown(distance):>9}".rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return str(self.frame().to_html(index=False, na_rep="", escape=True))


def corpus_report(
    synthetic: object,
    natural: object,
    *,
    text: str = "text",
    label: str = "label",
    encoder: str | None = None,
    languages: Sequence[str] = (),
    seed: int = 0,
) -> CorpusReport:
    """Compare a synthetic corpus with a natural one, at equal numbers of rows and tokens.

    Args:
        synthetic, natural: Labelled rows, in any form that `publish_dataset` takes.
        text: Column with the text, in both.
        label: Column with the label, in both.
        encoder: Hub id or folder of an encoder; with one, how well the two can be told apart by their features, and
            how near to natural rows the synthetic ones lie.
        languages: BCP-47 tags of code-mixed text, e.g. `["ml-Latn", "en"]`: with two or more, its mixing is measured.
        seed: Of the samples that are drawn.

    Raises:
        InputError: A corpus is no data set, or a column is missing.
        DataError: A corpus has no row.
    """
    sides = [_rows(data, name, text, label) for data, name in ((synthetic, "synthetic"), (natural, "natural"))]
    embed = tagger = None
    if encoder is not None:
        from functools import partial

        from sentisynth_hub.pretrained.embeddings import embed as features

        embed = partial(features, model=encoder)
    if len(languages) > 1:
        from sentisynth_hub.metrics.word_languages import WordTagger

        tagger = WordTagger(list(languages))
    return CorpusReport(compare_corpora(sides[0], sides[1], embed=embed, tagger=tagger, seed=seed))


def _rows(data: object, name: str, text: str, label: str) -> list[Row]:
    given = read_given(data, text=text, label=label)
    rows = [row for split in given.splits for row in given.rows(split) if row.text.strip()]
    if not rows:
        raise DataError(f"{name}: no row has a text; give rows to compare")
    return rows


def _flat(report: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, Any, Any]]:
    for key, value in report.items():
        if not isinstance(value, Mapping):
            continue
        if not {"synthetic", "natural"} <= set(value):
            yield from _flat(value, f"{prefix}{key} ")
            continue
        ours, theirs, distance = value["synthetic"], value["natural"], value.get("distance")
        if isinstance(ours, Mapping):
            for name in dict.fromkeys([*ours, *theirs]):
                yield f"{prefix}{key} {name}", ours.get(name), theirs.get(name), None
        elif isinstance(ours, list):
            for place, name in enumerate(("5 %", "median", "95 %")):
                yield f"{prefix}{key} {name}", ours[place], theirs[place], distance if place == 1 else None
        else:
            yield f"{prefix}{key}", ours, theirs, distance


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
