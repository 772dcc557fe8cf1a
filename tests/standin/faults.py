"""What can be made to go wrong, by name.

`upstream.next_fault("cut", after=2)` asks for it, or the request itself with the model id `fault/cut?after=2`. Errors by
status are in errors.py (`fault/429`, `fault/context`, `fault/402-max-tokens`), the others in faults_connection.py and
faults_content.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

from . import errors, faults_connection, faults_content
from .scene import Json, Scene, problem_reply

MARKER = "fault/"
FAULTS = {**faults_connection.FAULTS, **faults_content.FAULTS}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault by name, with its options. ValueError if there is none of that name."""

    name: str
    options: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in FAULTS and self.name not in errors.PROBLEMS:
            raise ValueError(f"There is no fault {self.name!r}. Known: {', '.join([*errors.PROBLEMS, *FAULTS])}.")

    @property
    def is_status(self) -> bool:
        """An error answered instead of the model's answer, so that another model may take over."""
        return self.name in errors.PROBLEMS

    @staticmethod
    def of_model(model_id: str) -> Fault | None:
        """The fault that a model id asks for, such as `fault/slow?delay_s=0.1`."""
        if not model_id.startswith(MARKER):
            return None
        name, _, options = model_id.removeprefix(MARKER).partition("?")
        return Fault(name, {key: _value(text) for key, text in parse_qsl(options)})


async def play(scene: Scene, fault: Fault) -> None:
    """Answers a call as the fault has it."""
    if fault.is_status:
        problem = replace(errors.PROBLEMS[fault.name], **fault.options)
        await scene.call.play(problem_reply(problem, scene.dialect))
    else:
        await FAULTS[fault.name](scene, **fault.options)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
