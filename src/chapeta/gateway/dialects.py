"""Fields that some models refuse and others need: `temperature`, `max_tokens`. Learned from refusals, per model.

Only fields that we have set ourselves are changed (a bench's, a deployment's), never a caller's own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container
from typing import Any

from chapeta.gateway.body import Fields
from chapeta.gateway.fault import Fault

# what to send instead; "" is nothing
INSTEAD = {"max_tokens": "max_completion_tokens", "temperature": "", "seed": "", "response_format": ""}
REFUSED = re.compile(
    r"unsupported|not support|deprecated|unrecognized|unknown (parameter|argument)|not permitted", re.I
)


class Dialects:
    """What each model has refused so far."""

    def __init__(self) -> None:
        self._refused: defaultdict[str, set[str]] = defaultdict(set)

    def __contains__(self, model: str) -> bool:
        return model in self._refused

    def adapt(self, model: str, fields: Fields, changed: dict[str, Any], ours: Container[str]) -> None:
        """Takes what the model refuses out of a request, or gives it the other name, where the field is ours."""
        for name in self._refused.get(model, ()):
            if name not in ours:
                continue
            value = changed.get(name, fields.get(name))
            if value is not None:
                changed[name] = None
                if INSTEAD[name]:
                    changed[INSTEAD[name]] = value

    def learn(self, model: str, fault: Fault, ours: Container[str]) -> bool:
        """Whether a refusal was about one of our fields that can do without; it will from now on."""
        if fault.status not in (400, 422) or not fault.provider:
            return False
        said = f"{fault.message} {fault.raw}"
        name = fault.param if fault.param in INSTEAD else next((n for n in INSTEAD if n in said), None)
        if name is None or name not in ours or name in self._refused.get(model, ()) or not REFUSED.search(said):
            return False
        self._refused[model].add(name)
        return True
