"""The line of folders that imports go down: each may use itself and what stands before it."""

# fmt: off
LINE = (
    "core", "pretrained", "metrics", "recipe", "natural", "generate", "filter", "study", "verdict", "annotate",
    "model", "publish", "plan", "pipeline", "run", "experiments", "cli", "__main__",
)
# fmt: on
BESIDE = "localhub"  # uses `core` only, and the line may use it
