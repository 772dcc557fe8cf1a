"""Lets a candidate answer examples through the gateway, several at a time, keeping every answer as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from chapeta.bench.answers import AnswerStore, key_of
from chapeta.errors import BadInput, ModelFailed
from chapeta.gateway.door import Gateway
from chapeta.types import Answer, Candidate, Example, Request, Usage

Tick = Callable[[int, int, str], None]


def answer_examples(
    candidate: Candidate,
    examples: Sequence[Example],
    gateway: Gateway,
    store: AnswerStore,
    tick: Tick = lambda *_: None,
) -> list[Answer]:
    """The candidate's answers, in the order of the examples. A row that fails is an answer with finish "error"."""
    return answer_requests([candidate.render(example.messages) for example in examples], gateway, store, tick)


def answer_requests(
    requests: Sequence[Request], gateway: Gateway, store: AnswerStore, tick: Tick = lambda *_: None
) -> list[Answer]:
    """Answers requests, the known ones from the store. Raises ModelFailed if not a single one could be answered.

    tick: called with (done, total, note) after each answer.
    """
    if not requests:
        return []
    model = requests[0].model
    keys = [key_of(request, gateway.identity(request)) for request in requests]
    known = store.find(keys)
    missing = {key: request for key, request in zip(keys, requests, strict=True) if key not in known}
    started, tokens = time.perf_counter(), 0
    tick(len(requests) - len(missing), len(requests), "")
    with ThreadPoolExecutor(gateway.concurrency(model)) as pool:
        futures = {pool.submit(_answer, gateway, request): key for key, request in missing.items()}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                answer = future.result()
                known[futures[future]] = answer
                store.keep(futures[future], answer)
                tokens += answer.usage.tokens_in - answer.usage.tokens_cached + answer.usage.tokens_out
                rate = tokens / (time.perf_counter() - started)
                tick(len(requests) - len(missing) + done, len(requests), f"{rate:.0f} tokens/s")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            gateway.cancel()  # a provider that is at work on this is not waited for
            raise
    answers = [known[key] for key in keys]
    if all(answer.finish == "error" for answer in answers):
        raise ModelFailed(f"None of {len(answers)} questions was answered: {answers[0].error}")
    return answers


def _answer(gateway: Gateway, request: Request) -> Answer:
    """One answer; a question that cannot be answered is reported as such and scored 0, the others go on."""
    try:
        return gateway.answer(request)
    except (ModelFailed, BadInput) as error:
        return Answer("", Usage(0, 0), 0.0, "error", None, str(error))
