"""Writes docs/commands.md: the help of every command as `chapeta VERB --help` prints it, so that the page cannot lie.

    python scripts/write_command_docs.py         (PYTHONPATH=src from a checkout that is not installed)

tests/test_docs.py fails when the page is not what this script would write.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

from chapeta.cli.main import VERBS, main

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
COLUMNS = "100"
HEAD = """\
# Commands

The help of every command, as it prints it. This page is generated: change the help in `src/chapeta/cli/` and run
`python scripts/write_command_docs.py`.
"""


def write() -> None:
    """Replaces the page."""
    PAGE.write_text(rendered(), encoding="utf-8")


def rendered() -> str:
    """The page as it should be."""
    sections = [f"## chapeta\n\n```text\n{help_of()}\n```\n"]
    sections += [f"## chapeta {verb}\n\n```text\n{help_of(verb)}\n```\n" for verb in VERBS]
    return "\n".join((HEAD, *sections))


def help_of(*verb: str) -> str:
    """What `chapeta VERB --help` prints, 100 columns wide."""
    printed = io.StringIO()
    with _fixed_terminal(), contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main([*verb, "--help"])
    return "\n".join(line.rstrip() for line in printed.getvalue().strip().splitlines())


@contextlib.contextmanager
def _fixed_terminal() -> Iterator[None]:
    """The width and the lack of colour that argparse reads from the environment."""
    wanted = {"COLUMNS": COLUMNS, "NO_COLOR": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


if __name__ == "__main__":
    write()
