"""A verdict that shows itself: as a sentence, a table, a DataFrame, figures, a report, or in a notebook."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.verdict.evaluation import Evaluation
from sentisynth_hub.verdict.evaluation_text import claim, reading, size, table_lines, verdict_sentence, warnings


class Judgement(Evaluation):
    """The evaluation of two models (its attributes are those of `Evaluation`), ready to be looked at.

    `print(judgement)` shows the table and the verdict; as the last line of a notebook's cell it shows itself.
    """

    @classmethod
    def of(cls, evaluation: Evaluation) -> "Judgement":
        """The same evaluation, able to show itself."""
        return cls.model_construct(**dict(evaluation))

    @property
    def sentence(self) -> str:
        """The verdict in a sentence or two, with its numbers."""
        return verdict_sentence(self)

    @property
    def notes(self) -> list[str]:
        """What to know before believing it; often empty."""
        return warnings(self)

    def frame(self) -> Any:
        """A pandas DataFrame, one row a model.

        Columns: `model`, the metric with `low` and `high`, and, but for the baseline, `difference` with
        `difference_low` and `difference_high`, `p` and `reads`. Intervals are of level 1 − alpha.
        """
        import pandas as pd

        return pd.DataFrame(self._rows())

    def figures(self) -> dict[str, str]:
        """SVG by name (`effects`, `confusion`, `labels`, and `slices` where texts were given).

        Raises:
            InputError: matplotlib is not installed.
        """
        if find_spec("matplotlib") is None:
            raise InputError("figures need one more package: pip install 'sentisynth-hub[report]'")
        from sentisynth_hub.verdict.figures import draw

        return draw(self)

    def write_report(self, path: str | Path) -> None:
        """Write one HTML file with everything in it, figures inside, nothing fetched from anywhere.

        Raises:
            InputError: matplotlib is not installed.
        """
        from sentisynth_hub.verdict.html_report import write_report

        self.figures()
        write_report(Path(path), f"{self.primary} against {self.baseline}", "", self)

    def __str__(self) -> str:
        return "\n".join([*table_lines(self), *(f"note: {line}" for line in self.notes)])

    def __repr__(self) -> str:
        return f"<Judgement: {self.sentence}>"

    def _repr_html_(self) -> str:
        from markupsafe import escape

        rows = self._rows()
        head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
        body = "".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row.values())}</tr>" for row in rows)
        notes = "".join(f"<p><small>{escape(line)}</small></p>" for line in self.notes)
        return (
            f"<p><b>{escape(self.sentence)}</b></p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"<p><small>{escape(size(self))}; {escape(claim(self))}</small></p>{notes}"
        )

    def _rows(self) -> list[dict[str, Any]]:
        rows = []
        for scores in self.variants:
            pair = self.against(scores.name, self.baseline)
            low, high = scores.interval or (None, None)
            gain_low, gain_high = (pair.interval if pair is not None else None) or (None, None)
            rows.append(
                {
                    "model": scores.name,
                    self.metric: scores.mean,
                    "low": low,
                    "high": high,
                    "difference": None if pair is None else pair.difference,
                    "difference_low": gain_low,
                    "difference_high": gain_high,
                    "p": None if pair is None else pair.p,
                    "reads": None if pair is None else reading(self, pair),
                }
            )
        return rows


def _cell(value: Any) -> str:
    from markupsafe import escape

    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(escape(value))
