"""The command `chapeta`. One file per verb; only the file of the verb that was typed is imported, so help comes at once.

A verb is a module with `add_arguments(parser)` and `run(arguments)`; its line in the table is its name and its help.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from chapeta import __version__
from chapeta.config import calm_threads
from chapeta.errors import ChapetaError

VERBS = {
    "app": "open the app in the browser; also what `chapeta` alone does",
    "chats": "import, export, list and search chats",
    "specialize": "examples → candidates → bench → verdict → deployment: the whole way",
    "check": "read a file of examples and say what is wrong with it",
    "split": "check a file and split it into train, validation and test rows",
    "skills": "the library of Skills: list, import, write, versions, scores",
    "tune": "fine-tune the model of a run on its training rows",
    "bench": "let all candidates of a run answer its test rows",
    "verdict": "say which candidate to use and why; draw report and receipt",
    "deploy": "give a candidate a name that answers",
    "ask": "ask a model or deployment one question",
    "serve": "offer every model and deployment as OpenAI's API",
    "chat": "talk to a model or deployment in the terminal",
    "models": "pull, list and remove local models and deployments",
    "keys": "keys of providers, and access keys for your own callers",
    "jobs": "list, show, cancel and run the jobs of the app",
    "usage": "tokens, cost, latency and errors of all calls",
    "runs": "list and remove runs",
    "backup": "write chats, skills, datasets and usage into one file",
    "restore": "add what a backup holds and is missing here",
    "verify": "recompute every figure of a receipt",
}
SPELLINGS = {"specialise": "specialize", "skill": "skills"}
USAGE = "chapeta COMMAND [OPTION]...   (chapeta COMMAND --help tells more)"
INTERRUPTED = 130


def run() -> None:
    """Entry point: parses, runs the verb, turns errors into one line and an exit code."""
    calm_threads()
    sys.exit(main(sys.argv[1:]))


def main(words: Sequence[str]) -> int:
    """Runs one command line and returns its exit code."""
    words = words or ["app"]
    if words[0] in ("-h", "--help"):
        print(overview())
        return 0
    if words[0] == "--version":
        print(__version__)
        return 0
    verb = SPELLINGS.get(words[0], words[0])
    if verb not in VERBS:
        complain(f"There is no command '{verb}'. Commands: {', '.join(VERBS)}.")
        return 2
    module = importlib.import_module(f"chapeta.cli.{verb}")
    parser = Parser(f"chapeta {verb}", description=f"{VERBS[verb]}.", epilog=module.__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    module.add_arguments(parser)
    try:
        code = module.run(parser.parse_args(words[1:]))
        sys.stdout.flush()
        return int(code or 0)
    except ChapetaError as error:
        complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        complain("Stopped. What was done is kept: the same command goes on from here.")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except PermissionError as error:
        complain(
            f"{error.filename or 'A file'} may not be read or written. Change its permissions, or set CHAPETA_HOME."
        )
        return 1
    except MemoryError:
        complain("The memory is used up. Close other programs, or give fewer or shorter examples.")
        return 1


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the options on one line."""

    def error(self, message: str) -> NoReturn:
        from chapeta.gateway.keys.secret import without_keys

        # whatever option a key was given to by mistake, it is not said again: standard error ends up in logs
        complain(f"{without_keys(message)}. See `{self.prog} --help`.")
        sys.exit(2)


def overview() -> str:
    """The help of the whole command."""
    width = max(map(len, VERBS))
    lines = [f"  {name:<{width}}  {about}" for name, about in VERBS.items()]
    about = "Chapeta specialises a language model to your task, proves what works, and lets you use it."
    start = "Start here: chapeta specialize examples/support-triage.jsonl"
    return "\n".join([f"usage: {USAGE}", "", about, "", *lines, "", start])


def complain(line: str) -> None:
    """One line on standard error."""
    print(f"chapeta: {' '.join(line.split())}", file=sys.stderr)


if __name__ == "__main__":
    run()
