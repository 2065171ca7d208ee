"""Rows that are there already, in place of asking anybody: the same tables, without prompts, tokens or costs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.files import canonical_json
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.generate import parse as parsing
from sentisynth_hub.generate.candidates import LINEAGE, Tables
from sentisynth_hub.generate.providers.base import Provider
from sentisynth_hub.natural.stage import given_rows
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.generator_kinds import GivenRows
from sentisynth_hub.recipe.generator_section import GeneratorSection


_NOTHING_SPENT = {"demonstration_ids": [], "prompt_tokens": 0, "completion_tokens": 0, "cost_usd": None}


class RowsProvider(Provider):
    """Nobody is asked: `take_rows` does the whole stage."""

    section: ClassVar[type[GeneratorSection]] = GivenRows

    def record(self, recipe: Recipe) -> dict[str, Any]:
        """How the rows are read; what is in them is among the stage's inputs."""
        return recipe.generate.generator.model_dump(mode="json", exclude={"file", "licence"})


def take_rows(recipe: Recipe, replicates: Sequence[int], folder: StageFolder, processes: Processes) -> dict[str, Any]:
    """Write rows that are there already as the corpus of each replicate; empty texts become no candidates.

    Returns:
        The manifest, with the keys of any generate stage; what is not known is None.
    """
    given = recipe.generate.generator
    assert isinstance(given, GivenRows)
    if processes.is_main:
        rows = given_rows(recipe)
        folder.finish(
            {
                "replicates": {
                    str(replicate): _write(rows, given.written_by, folder.path / f"replicate-{replicate}")
                    for replicate in replicates
                },
                "model": {"id": given.written_by, "revision": given.revision, "commit": None},
                "prompt_digest": None,
                "parser_version": parsing.VERSION,
                "sampling": None,
                "num_shots": None,
                "prices": None,
            }
        )
    processes.wait()
    return folder.manifest()


def _write(rows: Sequence[tuple[Row, dict[str, str]]], writer: str, path: Path) -> dict[str, Any]:
    """Write one replicate's tables; its part of the manifest."""
    path.mkdir(parents=True, exist_ok=True)
    with Tables(path) as tables:
        for row, attributes in rows:
            origin = {"request_id": row.request_id, "model": writer}
            lineage = dict.fromkeys(LINEAGE) | _NOTHING_SPENT | origin | {"attributes": canonical_json(attributes)}
            if row.text.strip():
                tables.add(row, None, lineage)
            else:
                tables.add(replace(row, label=None), "empty", lineage)
    return {"requests": len(rows), **_NOTHING_SPENT, **tables.record()}
