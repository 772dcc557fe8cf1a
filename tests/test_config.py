"""How many processors are computed on, asked of a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ASK = "from chapeta.config import cores; print(cores())"


def told(given: str | None, *before: str) -> int:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    environment |= {"OMP_NUM_THREADS": given} if given is not None else {}
    return int(subprocess.check_output([*before, sys.executable, "-c", ASK], env=environment))


@pytest.mark.parametrize(("given", "cores"), [("1", 1), ("7", 7), ("3,2", 3)])
def test_the_variable_that_torch_obeys_is_obeyed(given: str, cores: int) -> None:
    assert told(given) == cores


@pytest.mark.parametrize("given", [None, "", "0", "-2", "many"])
def test_else_those_that_the_process_may_use(given: str | None) -> None:
    assert told(given) == len(os.sched_getaffinity(0))


def test_a_process_bound_to_one_core_computes_on_one() -> None:
    assert told(None, "taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))) == 1
