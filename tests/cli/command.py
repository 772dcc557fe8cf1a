"""Runs the real command in its own process, as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-m", "chapeta.cli.main"]


def chapeta(
    *words: str, stdin: str | bytes | None = None, timeout_s: float = 240, **variables: str
) -> subprocess.CompletedProcess[str]:
    """One command line; CHAPETA_HOME and the rest of the environment are the test's own."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [*COMMAND, *words], input=given, stdin=None if given is not None else subprocess.DEVNULL,
        capture_output=True, timeout=timeout_s, env={**os.environ, **variables}, check=False,
    )  # fmt: skip
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def write_rows(path: Path, rows: int = 60) -> Path:
    """A small task that can be learned: which of two desks a short note is for."""
    things = ("lamp", "tent", "stove", "chair", "jacket", "mug", "rope", "map", "torch", "bottle")
    notes = (
        ("my {} has not arrived and the courier lost it", "delivery"),
        ("you charged my card twice for the {}", "billing"),
        ("where is the parcel with the {}", "delivery"),
        ("the invoice for the {} shows a wrong amount", "billing"),
        ("tracking for the {} has not moved since monday", "delivery"),
        ("please refund the money for the {}", "billing"),
    )
    lines = ["text,label"]
    for n in range(rows):
        note, label = notes[n % len(notes)]
        lines.append(f"{note.format(things[(n // len(notes)) % len(things)])} (case {n * 37 % 101}),{label}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
