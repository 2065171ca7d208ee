"""An example at the end of every command's help: what somebody in a hurry copies."""

from collections.abc import Iterator

import click


EXAMPLES = {
    "sentisynth": "sentisynth run quickstart --hub local",
    "run": "sentisynth run recipes/reviews study.replicates=10 --no-publish",
    "recipes": "sentisynth recipes list",
    "recipes list": "sentisynth recipes list --json",
    "recipes copy": "sentisynth recipes copy sst2-low-resource recipes/my-reviews",
    "schema": "sentisynth schema > recipe.schema.json",
    "prompt": "sentisynth prompt show recipes/reviews --label positive",
    "prompt show": "sentisynth prompt show recipes/reviews --label positive --number 3",
    "plan": "sentisynth plan recipes/reviews study.replicates=10",
    "estimate": "sentisynth estimate recipes/reviews --pilot 20 --max-usd 1",
    "generate": "sentisynth generate recipes/reviews --max-usd 5 --resume",
    "filter": "sentisynth filter reviews.csv --length 3,80 --near-duplicates 0.8 --text review",
    "inspect": "sentisynth inspect me/reviews-synthetic@v1.0.0 --recipe recipes/reviews",
    "sweep": "sentisynth sweep recipes/reviews filter.teacher.min_confidence=0.5:0.9:0.1",
    "study": "sentisynth study recipes/reviews study.margin=0.01",
    "check": "sentisynth check me/reviews-synthetic@v1.0.0",
    "report": "sentisynth report recipes/reviews --output report.html",
    "evaluate": "sentisynth evaluate me/reviews-classifier test.csv --text review --label sentiment",
    "compare": "sentisynth compare first.csv second.csv --metric macro_f1",
    "judge": "sentisynth judge minilm.csv tfidf.csv --margin 0.02",
    "predict": 'sentisynth predict me/reviews-classifier "a film I would see again"',
    "annotate": "sentisynth annotate make recipes/reviews --rows 100",
    "annotate score": "sentisynth annotate score ratings-anna.json ratings-ben.json",
    "publish": "sentisynth publish recipes/reviews --hub local --dry-run",
    "diff": "sentisynth diff me/reviews-synthetic@v1.0.0 me/reviews-synthetic@v1.1.0",
    "verify": "sentisynth verify me/reviews-synthetic@v1.1.0 --strict",
    "runs": "sentisynth runs save recipes/reviews --repo me/reviews-runs",
    "runs save": "sentisynth runs save recipes/reviews --repo me/reviews-runs",
    "runs restore": "sentisynth runs restore recipes/reviews --repo me/reviews-runs",
    "jobs": "sentisynth jobs recipes/reviews --flavor cpu-upgrade --submit",
    "hub": "sentisynth hub start",
    "hub start": "sentisynth hub start --port 8585",
    "hub stop": "sentisynth hub stop",
    "hub status": "sentisynth hub status --json",
    "hub env": 'eval "$(sentisynth hub env)"',
    "hub import": "sentisynth hub import me/encoder models/encoder --type model",
    "hub token": "sentisynth hub token create anna --role read",
    "hub token create": "sentisynth hub token create anna --role read",
    "init ci": "sentisynth init ci recipes/reviews --requirements requirements.txt",
    "init hf-extension": "sentisynth init hf-extension",
}
"""By the command's path; a command whose docstring ends with its own examples is not in it."""


def commands_below(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """The command and every command below it, each with its path."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands_below(inner, f"{path} {name}")


def with_example(command: click.Command, path: str) -> click.Command:
    """Give a command, and those below it, the example of its path as the end of its help."""
    for inner_path, inner in commands_below(command, path):
        if inner_path in EXAMPLES:
            inner.epilog = f"\b\nExample:\n  {EXAMPLES[inner_path]}"
    return command
