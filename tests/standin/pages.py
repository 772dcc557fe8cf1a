"""Which function answers a request: a function of the request and of what was seen before, without any I/O."""

from __future__ import annotations

import re
from collections.abc import Callable

from . import asked, errors, looked_up
from .errors import Problem
from .scene import problem_reply
from .state import Page, State, sent_key
from .wire import Record

Handler = Callable[[State, Record], Page | Problem]
# method, path, whether a key is needed (OpenRouter's list of models is open to all, as outside), handler
ROUTES: dict[str, tuple[tuple[str, str, bool, Handler], ...]] = {
    "openrouter": (
        ("POST", "/chat/completions", True, asked.chat),
        ("POST", "/embeddings", True, asked.embeddings),
        ("GET", "/models", False, looked_up.models),
        ("GET", "/models/.+/endpoints", False, looked_up.endpoints),
        ("GET", "/key", True, looked_up.key),
        ("GET", "/credits", True, looked_up.credits),
        ("GET", "/generation", True, looked_up.generation),
    ),
    "openai": (
        ("POST", "/chat/completions", True, asked.chat),
        ("POST", "/embeddings", True, asked.embeddings),
        ("GET", "/models", True, looked_up.openai_models),
        ("GET", "/models/.+", True, looked_up.openai_one_model),
    ),
}


def page(state: State, record: Record) -> Page:
    """The answer to a request."""
    found: Page | Problem = Problem(404, f"No route for {record.method} {record.path}")
    for method, path, needs_key, handler in ROUTES[state.dialect]:
        if record.method == method and re.fullmatch(path, record.path):
            found = (_refuse_key(state, record) if needs_key else None) or _handled(handler, state, record)
            break
    return Page(problem_reply(found, state.dialect)) if isinstance(found, Problem) else found


def _handled(handler: Handler, state: State, record: Record) -> Page | Problem:
    try:
        return handler(state, record)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # fields of the wrong type: refused, as outside
        return Problem(400, f"Invalid request parameters ({error!r})")


def _refuse_key(state: State, record: Record) -> Problem | None:
    key = sent_key(record)
    if state.key is None or key == state.key:
        return None
    return errors.wrong_key(state.dialect, key) if key else errors.no_key(state.dialect)
