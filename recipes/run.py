"""Run a recipe under `accelerate launch`: the same as `sentisynth run`, in as many processes as the launch has.

accelerate launch recipes/run.py quickstart --hub local
accelerate launch --config_file recipes/accelerate_configs/multi_cpu.yaml --num_processes 2 recipes/run.py quickstart
--hub local
"""

import sys

from sentisynth_hub.cli import main


if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
