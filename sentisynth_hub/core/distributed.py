"""The processes of one `accelerate launch`: who am I, how many are we, wait for all.

Work is split by index, never by who happens to be first, and nothing is sent between processes but "I am here".
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from sentisynth_hub.core.errors import LaunchError


T = TypeVar("T")
_WORLD_SIZES = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE")  # torchrun's, and three MPIs'
_TIMEOUT = timedelta(days=7)  # one process may wait while another generates for hours


def is_first() -> bool:
    """Whether this is the process of a launch that speaks to the user; known before the launch is joined."""
    return os.environ.get("RANK", "0") == "0"


def share_cores() -> None:
    """Let threads that wait give their core away: libgomp's spinning costs up to nine tenths of the speed on a shared
    machine.

    Read once, when torch is loaded; so this is called before that. What the user set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")


@dataclass(frozen=True)
class Processes:
    """Rank of this process and number of processes; `state` is accelerate's PartialState, None when alone."""

    rank: int = 0
    count: int = 1
    state: Any = None

    @property
    def is_main(self) -> bool:
        """Whether this process does what must be done once."""
        return self.rank == 0

    def mine(self, items: Sequence[T]) -> list[T]:
        """This process's share of `items`: every `count`-th, starting at its rank."""
        return list(items[self.rank :: self.count])

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.state is not None:
            self.state.wait_for_everyone()


def join_launch() -> Processes:
    """Join the launch this process belongs to, if there is one.

    Raises:
        LaunchError: The environment says there are several processes but they do not see each other.
    """
    world = max(int(os.environ.get(name) or 1) for name in _WORLD_SIZES)
    if world == 1:
        return Processes()

    import torch
    from accelerate import PartialState
    from accelerate.utils import InitProcessGroupKwargs

    cpu = not torch.cuda.is_available()
    if cpu:
        os.environ["ACCELERATE_USE_CPU"] = "true"  # else two gloo processes each believe they are alone
    try:
        state = PartialState(cpu=cpu, **InitProcessGroupKwargs(timeout=_TIMEOUT).to_kwargs())
        visible = state.num_processes
    except ValueError:  # no address of the first process: they were started without a launcher that gives one
        visible = 1
    if visible != world:
        raise LaunchError(
            f"the environment says {world} processes but they do not see each other: everything would be done "
            f"{world} times; "
            "use accelerate launch --config_file recipes/accelerate_configs/multi_cpu.yaml (or multi_gpu.yaml, "
            "two_machines.yaml)"
        )
    return Processes(state.process_index, state.num_processes, state)
