"""What the whole stage will cost: at most (`dry_run`), and as told from a pilot (`pilot`), with 95 % intervals.

Totals: Student's t interval of the mean of a request, times the number of requests. Accepted share: Wilson's interval
(Wilson 1927). Cost of an accepted row: the ends of both, the dearer with the rarer.
"""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.generate.budget import ModelPrice, worst_case
from sentisynth_hub.generate.plan_requests import plan_requests
from sentisynth_hub.generate.prompts import PromptTemplate
from sentisynth_hub.generate.providers.base import Generator
from sentisynth_hub.generate.result import read_result
from sentisynth_hub.generate.stage import generate, price_of, served
from sentisynth_hub.generate.top_up import first_calls, most_calls
from sentisynth_hub.generate.writers import rounds_of, writers_of
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.recipe import Recipe


_Z = 1.959964  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of the pilot: its tokens, and how many rows it was asked for and gave."""

    prompt_tokens: int
    completion_tokens: int
    rows: int
    accepted: int


def pilot(
    recipe: Recipe,
    samples: Sequence[Sample],
    folder: StageFolder,
    processes: Processes,
    *,
    requests: int = 20,
    refresh: int = 0,
    generator: Generator | None = None,
    natural: NaturalData | None = None,
) -> dict[str, Any]:
    """Ask the first requests of the first replicate and estimate the whole stage from them.

    The answers are kept for the stage itself. See `estimate` for what is returned.
    """
    _ = recipe.generate.asked  # an error where nobody is
    if recipe.generate.generators:
        raise RecipeError("generate.generators: an estimate is of one writer; leave them out: generate.generators={}")
    asking = served(recipe, samples)
    manifest = generate(
        recipe, asking[:1], folder, processes, limit=requests, refresh=refresh, generator=generator, natural=natural
    )
    if not processes.is_main:
        return {}
    corpus = read_result(folder, manifest)[asking[0].replicate]
    accepted = Counter(row.request_id.partition(".")[0] for row in corpus.candidates())
    by_request: dict[str, Asked] = {}
    for line in corpus.lineage():
        request_id = line["request_id"].partition(".")[0]
        before = by_request.get(request_id, Asked(0, 0, 0, accepted[request_id]))
        by_request[request_id] = Asked(
            before.prompt_tokens + line["prompt_tokens"],
            before.completion_tokens + line["completion_tokens"],
            before.rows + 1,
            before.accepted,
        )
    price, record = price_of(recipe)
    total = sum(first_calls(recipe).values()) * len(asking)
    return {**estimate(list(by_request.values()), total, price, recipe.generate.human_usd_per_row), "prices": record}


def dry_run(recipe: Recipe, samples: Sequence[Sample], *, limit: int | None = None) -> dict[str, Any]:
    """What would be asked and could cost at most; under `rows`, with every request that `max_requests` allows.

    Nothing is asked, loaded or written; stored answers are not looked at.
    """
    _, record = price_of(recipe)
    asking, writers = served(recipe, samples), writers_of(recipe)
    requests = tokens = 0
    usd: float | None = 0.0
    prompts: set[str] = set()
    for writer, rounds in zip(writers, rounds_of(writers, [most_calls(recipe)]), strict=True):
        template, new_tokens = PromptTemplate(writer.recipe), writer.recipe.generate.new_tokens
        price, _ = price_of(writer.recipe)
        usd = None if price is None else usd
        for sample in asking:
            plan = plan_requests(writer.recipe, sample, template, model="", sampling={}, rounds=rounds)
            for request in itertools.islice(plan, limit):
                worst = worst_case(request.prompt, new_tokens)
                requests, tokens = requests + 1, tokens + worst
                if usd is not None and price is not None:
                    usd += price.cost(worst - new_tokens, new_tokens)
                prompts.add(request.prompt_id)
    return {
        "replicates": len(asking),
        "requests": requests,
        "prompts": len(prompts),
        "worst_case_tokens": tokens,
        "worst_case_usd": usd,
        "prices": record,
    }


def estimate(
    pilot: Sequence[Asked], requests: int, price: ModelPrice | None, human_usd_per_row: float
) -> dict[str, Any]:
    """Estimate a stage of `requests` requests; every interval is [low, high], money is None where no price is
    known.
    """
    tokens = [float(request.prompt_tokens + request.completion_tokens) for request in pilot]
    rows = sum(request.rows for request in pilot)
    accepted = sum(request.accepted for request in pilot)
    share = wilson(accepted, rows)
    all_rows = requests * rows / len(pilot)
    figures: dict[str, Any] = {
        "pilot_requests": len(pilot),
        "requests": requests,
        "tokens": _total(tokens, requests),
        "accepted_share": {"estimate": accepted / rows, "interval": share},
        "accepted_rows": {"estimate": all_rows * accepted / rows, "interval": [all_rows * end for end in share]},
        "usd": None,
        "usd_per_accepted_row": None,
        "human_usd_per_row": human_usd_per_row,
        "human_usd": human_usd_per_row * all_rows * accepted / rows,
    }
    if price is not None:
        costs = [price.cost(request.prompt_tokens, request.completion_tokens) for request in pilot]
        figures["usd"] = _total(costs, requests)
        low, high = figures["usd"]["interval"]
        figures["usd_per_accepted_row"] = {
            "estimate": sum(costs) / accepted if accepted else None,
            "interval": [low / (all_rows * share[1]), high / (all_rows * share[0]) if share[0] > 0 else None],
        }
    return figures


def wilson(successes: int, trials: int) -> list[float]:
    """95 % interval of a share."""
    share, spread = successes / trials, _Z**2 / trials
    half = _Z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials))
    return [max(0.0, (share + spread / 2 - half) / (1 + spread)), min(1.0, (share + spread / 2 + half) / (1 + spread))]


def _total(values: Sequence[float], count: int) -> dict[str, Any]:
    """`count` times the mean of `values`, with its interval; a single value has none."""
    import numpy as np
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return {"estimate": count * mean, "interval": [0.0, math.inf]}
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return {"estimate": count * mean, "interval": [count * max(0.0, mean - half), count * (mean + half)]}
