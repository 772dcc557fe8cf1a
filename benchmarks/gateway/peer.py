"""What every peer has in common: how it is installed for itself, started and called."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

CHAT = "/v1/chat/completions"


@dataclass(frozen=True)
class Place:
    """Where a peer may work: the folder of what is installed, and a fresh one for this start."""

    installed: Path
    run: Path


@dataclass(frozen=True)
class Launch:
    """How to start a peer and how to call it. `port_file`: the peer chooses its port and writes it there."""

    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    path: str = CHAT
    headers: tuple[str, ...] = ()
    model: str = "stand-in"
    port_file: Path | None = None


class Peer(Protocol):
    name: str
    kind: str  # "ours", "gateway" (a peer of ours), or "proxy" (forwards bytes and knows nothing of models)
    setting: str

    def install(self, place: Place) -> str:
        """Installs it if it is not there yet, and returns its version. Raises RuntimeError if it cannot be had here."""

    def launch(self, place: Place, port: int, upstream_port: int) -> Launch:
        """Writes its configuration into `place.run`."""


def venv(place: Place, name: str, requirement: str) -> Path:
    """The interpreter of a virtual environment that holds `requirement` alone; made the first time it is asked for.

    All are of the Python that runs this, so that peers written in Python and ours have the same one.
    """
    folder = place.installed / f"venv-{name}"
    python, done = folder / "bin" / "python", folder / "done"
    wanted = f"{requirement} {sys.version} {sys.base_prefix}"
    if not done.exists() or done.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        output([sys.executable, "-m", "venv", "--without-pip", str(folder)], dict(os.environ))
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", requirement]
        output(pip, dict(os.environ))
        done.write_text(wanted)
    return python


def installed_version(python: Path, package: str) -> str:
    return output([str(python), "-c", f"from importlib.metadata import version; print(version('{package}'))"], {})


def program_in(python: Path, pattern: str) -> str:
    found = next(python.parent.parent.glob(f"lib/python*/site-packages/{pattern}"), None)
    if found is None:
        raise RuntimeError(f"its package holds no {pattern}")
    found.chmod(0o755)
    return str(found)


def output(command: list[str], env: dict[str, str]) -> str:
    """What a short command prints. Raises RuntimeError with the end of it if it fails."""
    base = {"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/")}
    done = subprocess.run(command, env=base | env, capture_output=True, text=True, check=False)
    text = f"{done.stdout}\n{done.stderr}".strip()
    if done.returncode:
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("WARNING")]
        raise RuntimeError(f"`{' '.join(command)[-120:]}` failed: {' / '.join(lines[-3:])[:400]}")
    return done.stdout.strip() or done.stderr.strip()
