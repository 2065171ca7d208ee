"""What the whole stage will cost: at most (`dry_run`), and as told from a pilot (`pilot`), with 95 % intervals.

Totals: Student's t interval of the mean of a request, times the number of requests; time likewise, over the batches or
answers as they came, loading the model left out. Shares of rows: Wilson's interval (Wilson 1927). Cost of a row: the
ends of both, the dearer with the rarer. A larger corpus repeats itself more than a pilot, so fewer of its rows stay.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.core.files import read_json, write_json
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.generate.answering import Mark
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


PILOT = "pilot.json"
_Z = 1.959964  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of the pilot: its tokens, how many rows it was asked for and gave, and how many of them the filters
    kept, where they were asked.
    """

    prompt_tokens: int
    completion_tokens: int
    rows: int
    accepted: int
    kept: int | None = None


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
    keep: Callable[[Sequence[Row]], Iterable[Row]] | None = None,
) -> dict[str, Any]:
    """Ask the first requests of the first replicate and estimate the whole stage from them.

    The answers are kept for the stage itself. What was found stands in `pilot.json`, for `sentisynth plan`.

    Args:
        keep: The recipe's filters: which of the pilot's candidates stay. None: rows kept are not estimated.

    Returns:
        See `estimate`, with the record of the price.
    """
    _ = recipe.generate.asked  # an error where nobody is
    if recipe.generate.generators:
        raise RecipeError("generate.generators: an estimate is of one writer; leave them out: generate.generators={}")
    asking, clock = served(recipe, samples), list[Mark]()
    manifest = generate(
        recipe,
        asking[:1],
        folder,
        processes,
        limit=requests,
        refresh=refresh,
        generator=generator,
        natural=natural,
        clock=clock,
    )
    if not processes.is_main:
        return {}
    corpus = read_result(folder, manifest)[asking[0].replicate]
    candidates = corpus.candidates()
    accepted = _by_request(candidates)
    kept = None if keep is None else _by_request(keep(candidates))
    by_request: dict[str, Asked] = {}
    for line in corpus.lineage():
        request_id = line["request_id"].partition(".")[0]
        before = by_request.get(request_id, Asked(0, 0, 0, accepted[request_id]))
        by_request[request_id] = Asked(
            before.prompt_tokens + line["prompt_tokens"],
            before.completion_tokens + line["completion_tokens"],
            before.rows + 1,
            before.accepted,
            None if kept is None else kept[request_id],
        )
    price, record = price_of(recipe)
    total = sum(first_calls(recipe).values()) * len(asking)
    steps = [(after.at - before.at, after.answered) for before, after in itertools.pairwise(clock)]
    figures = estimate(list(by_request.values()), total, price, recipe.generate.human_usd_per_row, steps)
    figures["prices"] = record
    if figures["minutes"] is None:  # all of it was answered before
        figures["minutes"] = (read_pilot(folder) or {}).get("minutes")
    write_json(folder.path / PILOT, figures)
    return figures


def read_pilot(folder: StageFolder) -> dict[str, Any] | None:
    """What an earlier `pilot` of this stage found; None where there was none."""
    path = folder.path / PILOT
    figures = read_json(path) if path.exists() else None
    return figures if isinstance(figures, dict) and {"tokens", "requests", "usd"} <= figures.keys() else None


def _by_request(rows: Iterable[Row]) -> Counter[str]:
    return Counter(row.request_id.partition(".")[0] for row in rows)


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
    pilot: Sequence[Asked],
    requests: int,
    price: ModelPrice | None,
    human_usd_per_row: float,
    timings: Sequence[tuple[float, int]] = (),
) -> dict[str, Any]:
    """Estimate a stage of `requests` requests.

    Args:
        timings: Seconds and requests of each step in which answers came.

    Returns:
        Figures with an interval [low, high] each; one end is None where it has no bound. Money is None where no price
        is known, minutes where nothing was timed, kept rows where no filter was asked.
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
        "kept_rows": _kept(pilot, rows, all_rows),
        "minutes": _minutes(timings, requests),
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
            "interval": [low / (all_rows * share[1]), high / (all_rows * share[0]) if high and share[0] > 0 else None],
        }
    return figures


def wilson(successes: int, trials: int) -> list[float]:
    """95 % interval of a share."""
    share, spread = successes / trials, _Z**2 / trials
    half = _Z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials))
    return [max(0.0, (share + spread / 2 - half) / (1 + spread)), min(1.0, (share + spread / 2 + half) / (1 + spread))]


def _kept(pilot: Sequence[Asked], rows: int, all_rows: float) -> dict[str, Any] | None:
    counts = [request.kept for request in pilot if request.kept is not None]
    if len(counts) < len(pilot):
        return None
    kept = sum(counts)
    return {"estimate": all_rows * kept / rows, "interval": [all_rows * end for end in wilson(kept, rows)]}


def _minutes(timings: Sequence[tuple[float, int]], requests: int) -> dict[str, Any] | None:
    """The whole's minutes from the steps' seconds and requests, each step weighing as much as it answered."""
    steps = [(seconds, count) for seconds, count in timings if count > 0]
    answered = sum(count for _, count in steps)
    if not answered:
        return None
    rate = sum(seconds for seconds, _ in steps) / answered
    if len(steps) < 2:
        return {"estimate": requests * rate / 60, "interval": [0.0, None]}
    from scipy.stats import t

    # The variance of a ratio (Cochran 1977, 6.3).
    off = math.fsum((seconds - rate * count) ** 2 for seconds, count in steps)
    half = float(t.ppf(0.975, len(steps) - 1)) * math.sqrt(off * len(steps) / (len(steps) - 1)) / answered
    return {
        "estimate": requests * rate / 60,
        "interval": [requests * max(rate - half, 0.0) / 60, requests * (rate + half) / 60],
    }


def _total(values: Sequence[float], count: int) -> dict[str, Any]:
    """`count` times the mean of `values`, with its interval; a single value has none."""
    import numpy as np
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return {"estimate": count * mean, "interval": [0.0, None]}
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return {"estimate": count * mean, "interval": [count * max(0.0, mean - half), count * (mean + half)]}
