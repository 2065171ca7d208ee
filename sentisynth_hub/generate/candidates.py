"""Candidate tables: what was answered, parsed into candidates, rows that are none (with a reason), and lineage."""

import math
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sentisynth_hub.core.files import canonical_json, json_digest
from sentisynth_hub.core.preprocess import preprocess
from sentisynth_hub.core.rows import Completion, ContentDigest, Request, Row, TableFile, row_schema
from sentisynth_hub.generate import parse as parsing
from sentisynth_hub.generate.requests import Replicate
from sentisynth_hub.generate.writers import in_one_order
from sentisynth_hub.recipe import Recipe


LINEAGE = (
    "request_id", "prompt_id", "demonstration_ids", "model", "model_revision", "system_fingerprint", "sampling",
    "seed", "sample_index", "prompt_tokens", "completion_tokens", "cost_usd", "attributes",
)  # fmt: skip


class Tables:
    """A replicate's three tables while they are written: every row is a candidate, or has a reason why it is none."""

    def __init__(self, folder: Path):
        import pyarrow as pa

        why = {"filter": pa.string(), "reason": pa.string(), "score": pa.float64()}
        self._candidates = TableFile(folder / "candidates.parquet", row_schema())
        self._unparsed = TableFile(folder / "unparsed.parquet", row_schema() | why)
        self._lineage = TableFile(folder / "lineage.parquet", _lineage_schema())
        self._kept, self._dropped = ContentDigest(), ContentDigest()
        self._reasons: Counter[str] = Counter()
        self._open = ExitStack()

    def __enter__(self) -> "Tables":
        for table in (self._candidates, self._unparsed, self._lineage):
            self._open.enter_context(table)
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def add(self, row: Row, reason: str | None, lineage: dict[str, Any]) -> None:
        if reason is None:
            self._candidates.add_row(row)
            self._kept.add(row)
        else:
            self._unparsed.add_row(row, filter="parse", reason=reason, score=None)
            self._dropped.add(row)
            self._reasons[reason] += 1
        self._lineage.add(lineage)

    def record(self) -> dict[str, Any]:
        """Their part of the manifest."""
        return {
            "candidates": len(self._kept),
            "unparsed": len(self._dropped),
            "reasons": dict(sorted(self._reasons.items())),
            "digest": json_digest([self._kept.hexdigest(), self._dropped.hexdigest()]),
        }


def _lineage_schema() -> dict[str, Any]:
    import pyarrow as pa

    columns = dict.fromkeys(LINEAGE, pa.string())
    columns |= dict.fromkeys(("seed", "sample_index", "prompt_tokens", "completion_tokens"), pa.int64())
    return columns | {"demonstration_ids": pa.list_(pa.string()), "cost_usd": pa.float64()}


@dataclass
class _Count:
    """What a writer was asked, and what it gave."""

    requests: int = 0
    candidates: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    costs: list[float | None] = field(default_factory=list)

    def add(self, completion: Completion) -> None:
        self.requests += 1
        self.prompt_tokens += completion.prompt_tokens
        self.completion_tokens += completion.completion_tokens
        self.costs.append(completion.cost_usd)

    @property
    def cost_usd(self) -> float | None:
        is_known = self.costs and None not in self.costs
        return math.fsum(cost or 0.0 for cost in self.costs) if is_known else None


def collect(replicates: Sequence[Replicate]) -> dict[str, Any]:
    """Parse every completion of a replicate's writers, write its tables, and return its part of the manifest."""
    recipe = replicates[0].recipe
    used: set[str] = set()
    counts = {replicate.writer: _Count() for replicate in replicates}
    with Tables(replicates[0].tables) as tables:
        for replicate, batch_id, request in in_one_order(replicates):
            completion = replicate.answers.completion(request.request_id, batch_id)
            assert completion is not None
            used.update(request.demonstration_ids)
            count = counts[replicate.writer]
            count.add(completion)
            for place, parsed in enumerate(parsing.parse(completion, request, recipe.generate.prompt.texts_per_call)):
                row = _row(recipe, request, completion, parsed, place)
                count.candidates += parsed.reason is None
                tables.add(
                    row,
                    parsed.reason,
                    _lineage(replicate, request, completion, row.request_id, first=place == 0),
                )
    costs = [count.cost_usd for count in counts.values() if count.requests]
    named = {
        name: {
            "requests": count.requests,
            "candidates": count.candidates,
            "prompt_tokens": count.prompt_tokens,
            "completion_tokens": count.completion_tokens,
            "cost_usd": count.cost_usd,
        }
        for name, count in counts.items()
        if name is not None
    }
    return {
        "requests": sum(count.requests for count in counts.values()),
        "demonstration_ids": sorted(used),
        "prompt_tokens": sum(count.prompt_tokens for count in counts.values()),
        "completion_tokens": sum(count.completion_tokens for count in counts.values()),
        "cost_usd": None if not costs or None in costs else math.fsum(cost or 0.0 for cost in costs),
        **({"writers": named} if named else {}),
        **tables.record(),
    }


def _row(recipe: Recipe, request: Request, completion: Completion, parsed: parsing.Parsed, place: int) -> Row:
    several = recipe.generate.prompt.texts_per_call > 1
    return Row(
        text=parsed.text if parsed.reason else preprocess(parsed.text, recipe.natural.preprocess),
        label=request.asked_label if parsed.reason is None else None,
        request_id=f"{request.request_id}.{place}" if several else request.request_id,
        asked_label=request.asked_label,
        prompt_id=request.prompt_id,
        language=",".join(recipe.language),
        generator=completion.model,
        num_shots=recipe.generate.prompt.num_shots,
    )


def _lineage(
    replicate: Replicate, request: Request, completion: Completion, row_id: str, *, first: bool
) -> dict[str, Any]:
    priced = completion.cost_usd is not None
    return {
        "request_id": row_id,
        "prompt_id": request.prompt_id,
        "demonstration_ids": list(request.demonstration_ids),
        "model": completion.model,
        "model_revision": replicate.model["commit"] or replicate.model["revision"],
        "system_fingerprint": completion.system_fingerprint,
        "sampling": canonical_json(
            replicate.sampling | ({"left_out": completion.left_out.split(",")} if completion.left_out else {})
        ),
        "seed": request.seed,
        "sample_index": request.sample_index,
        "prompt_tokens": completion.prompt_tokens if first else 0,
        "completion_tokens": completion.completion_tokens if first else 0,
        "cost_usd": completion.cost_usd if first or not priced else 0.0,
        "attributes": canonical_json(
            request.attributes | ({"writer": replicate.writer} if replicate.writer is not None else {})
        ),
    }
