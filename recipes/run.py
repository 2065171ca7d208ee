# /// script
# requires-python = ">=3.11"
# dependencies = ["sentisynth-hub[all]"]
#
# [tool.hf-jobs]
# flavor = "cpu-upgrade"
# timeout = "6h"
# secrets = ["HF_TOKEN"]
# ///
"""Run a recipe under `accelerate launch`: the same as `sentisynth run`, in as many processes as the launch has.

accelerate launch recipes/run.py quickstart --hub local
accelerate launch --config_file recipes/accelerate_configs/multi_cpu.yaml --num_processes 2 recipes/run.py quickstart
--hub local

Or as a script of its own, on this machine or as a Hugging Face Job, with a recipe that comes with the toolkit:

uv run recipes/run.py quickstart --hub local
hf jobs uv run recipes/run.py sst2-low-resource
"""

import sys

from sentisynth_hub.cli import main


if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
