"""Type a message and press Enter; Ctrl-C stops an answer, Ctrl-D or /exit leaves, /new begins anew.

chapeta chat support-triage
chapeta chat --skill ./my-skill
"""

from __future__ import annotations

import argparse
import dataclasses
import sys

from chapeta import config
from chapeta.errors import ChapetaError
from chapeta.types import Answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", nargs="?", default=config.DEFAULT_MODEL, help=f"deployment, model id or .gguf ({config.DEFAULT_MODEL})"
    )
    parser.add_argument(
        "--skill", metavar="NAME", help="instructions: a skill's folder, or the name of the run that wrote it"
    )


def run(arguments: argparse.Namespace) -> None:
    from chapeta.gateway.door import Gateway
    from chapeta.types import Message

    with Gateway() as gateway:
        candidate = gateway.candidate(arguments.model)
        if arguments.skill:
            candidate = dataclasses.replace(candidate, system=skill_text(arguments.skill))
        turns: tuple[Message, ...] = ()
        while True:
            question = _read()
            if question is None or question.strip() == "/exit":
                return
            if question.strip() == "/new":
                turns = ()
                continue
            if not question.strip():
                continue
            turns = (*turns, Message("user", question))
            pieces: list[str] = []

            def show(text: str, pieces: list[str] = pieces) -> None:
                pieces.append(text)
                print(text, end="", flush=True)

            try:
                answer = gateway.answer(candidate.render(turns), show)
            except ChapetaError as error:  # the conversation goes on: with another question, or when the model is back
                turns = turns[:-1]
                print(error, file=sys.stderr)
                continue
            except KeyboardInterrupt:
                print("  (stopped)")
                # an empty turn would be refused by some providers from then on
                turns = (*turns, Message("assistant", "".join(pieces))) if pieces else turns[:-1]
                continue
            print(flush=True)
            usage = answer.usage
            print(
                f"[{usage.tokens_in} tokens in, {usage.tokens_out} out, {answer.latency_ms / 1000:.1f} s{cost(answer)}]",
                file=sys.stderr,
            )
            turns = (*turns, Message("assistant", answer.text))


def cost(answer: Answer) -> str:
    """What an answer has cost, as the end of a line; nothing where it was free."""
    if answer.usd is None:
        return ", cost unknown"
    return f", ${answer.usd:.6f}" if answer.usd else ""


def skill_text(name: str) -> str:
    """The instructions of a skill, by folder or by the run that wrote it."""
    from pathlib import Path

    from chapeta.errors import Missing
    from chapeta.skills.file import read_skill
    from chapeta.stages.run import Run

    try:
        run = Run.open(name)
    except Missing:
        return read_skill(Path(name)).body
    return read_skill(run.folder / "skill" / run.settings.name).body


def _read() -> str | None:
    """The next line, None at its end."""
    try:
        return input("» " if sys.stdin.isatty() else "")
    except EOFError:
        return None
