"""Rows that are there already, in place of asking anybody: the same tables, without prompts, tokens or costs."""

from dataclasses import replace
from typing import Any

from sentisynth_hub.generators import parsing
from sentisynth_hub.generators.tables import LINEAGE, Tables
from sentisynth_hub.manifest import canonical_json
from sentisynth_hub.processes import Processes
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.runs import StageFolder
from sentisynth_hub.sources import given_rows


_NOTHING_SPENT = {"demonstration_ids": [], "prompt_tokens": 0, "completion_tokens": 0, "cost_usd": None}


def take_given(recipe: Recipe, folder: StageFolder, processes: Processes) -> dict[str, Any]:
    """Write rows that are there already as the one corpus of replicate 0; empty texts become no candidates.

    Returns:
        The manifest, with the keys of any generate stage; what is not known is None.
    """
    given = recipe.generate.generator
    assert given.kind == "rows"
    if processes.is_main:
        path = folder.path / "replicate-0"
        path.mkdir(parents=True, exist_ok=True)
        requests = 0
        with Tables(path) as tables:
            for row, attributes in given_rows(recipe):
                requests += 1
                known = {"request_id": row.request_id, "model": given.written_by}
                lineage = dict.fromkeys(LINEAGE) | _NOTHING_SPENT | known | {"attributes": canonical_json(attributes)}
                if row.text.strip():
                    tables.add(row, None, lineage)
                else:
                    tables.add(replace(row, label=None), "empty", lineage)
        folder.finish(
            {
                "replicates": {"0": {"requests": requests, **_NOTHING_SPENT, **tables.record()}},
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
