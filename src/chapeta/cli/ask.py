"""Answers one question; several words need no quotes, and - reads the question from standard input.

chapeta ask support-triage "where is my parcel?"
"""

from __future__ import annotations

import argparse
import sys

from chapeta.cli import options
from chapeta.errors import BadInput


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a deployment's name, a model id, or the path of a .gguf file")
    parser.add_argument("question", nargs="+", help="the question; - reads it from standard input")
    parser.add_argument("--max-tokens", type=int, help="most tokens of the answer")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    import dataclasses

    from chapeta.gateway.door import Gateway
    from chapeta.types import Message

    if arguments.max_tokens is not None and arguments.max_tokens < 1:
        raise BadInput(f"--max-tokens {arguments.max_tokens} leaves no room for an answer.", "Give 1 or more.")
    question = sys.stdin.read() if arguments.question == ["-"] else " ".join(arguments.question)
    if not question.strip():
        raise BadInput("The question is empty.", "Give it as words, or on standard input with -.")
    with Gateway() as gateway:
        candidate = gateway.candidate(arguments.model)
        if arguments.max_tokens:
            candidate = dataclasses.replace(
                candidate, decoding=dataclasses.replace(candidate.decoding, max_tokens=arguments.max_tokens)
            )
        request = candidate.render((Message("user", question),))
        if arguments.json:
            options.print_json(dataclasses.asdict(gateway.answer(request)))
            return
        gateway.answer(request, lambda text: print(text, end="", flush=True))
        print()
