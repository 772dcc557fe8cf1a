"""How each skill is used, as the user set it: a small file of ours, so that nothing is written to anybody's skill.

Skills of our own are known by name, so that the data directory can be moved; others by where they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from chapeta import config
from chapeta.errors import BadInput, Corrupt
from chapeta.examples.lines import locked
from chapeta.files import read_json, write_json

# off: by nobody; hand: when the user picks it; model: also when a model chooses it; always: in every chat
Use = Literal["off", "hand", "model", "always"]
USES: tuple[Use, ...] = get_args(Use)


def read() -> dict[str, Use]:
    """What was set, by key. Raises Corrupt for a file that is not ours: a skill that was off must not come on by it."""
    if not _file().exists():
        return {}
    kept = read_json(_file(), "chapeta skills use")
    if not isinstance(kept, dict) or not all(value in USES for value in kept.values()):
        raise Corrupt(f"{_file()} is not as Chapeta writes it.", f"Mend or delete it: values are {', '.join(USES)}.")
    return kept


def write(key: str, use: str | None) -> None:
    """Sets how a skill is used; None goes back to what it says of itself."""
    if use is not None and use not in USES:
        raise BadInput(f"A skill cannot be used {use[:40]!r}.", f"Choose one of {', '.join(USES)}.")
    with locked(_file()):
        kept = read()
        if kept.pop(key, None) != use or use is not None:
            write_json(_file(), {**kept, **({key: use} if use else {})})


def _file() -> Path:
    return config.home() / "skill-settings.json"
