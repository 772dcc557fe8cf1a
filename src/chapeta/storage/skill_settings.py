"""How skills are used (`skill-settings.json` of the data directory) in backups: what is set here stays, the rest is added.

The library of skills (`skills/settings.py`), which stands above the storage, reads and writes the same file under the
same lock. A backup may come from anywhere: what is no setting is refused, so that the library can always read the file.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import portalocker

from chapeta.files import disk_errors, write_json

NAME = "skill-settings.json"
MOST_BYTES = 1 << 20
MOST_KEY = 4096  # characters of a skill's name or path
USES = ("off", "hand", "model", "always")


def merge_settings(home: Path, given: bytes, refused: Counter[str]) -> tuple[int, int]:
    """Adds settings of skills that have none here; returns how many were added, and how many there were already.

    Raises BadInput where the disk refuses.
    """
    wanted = _settings(given)
    if wanted is None:
        refused["damaged files"] += 1
        return 0, 0
    sound = {key: use for key, use in wanted.items() if use in USES and len(key) <= MOST_KEY}
    if len(sound) < len(wanted):
        refused["settings of skills that are none"] += len(wanted) - len(sound)
    file = home / NAME
    with disk_errors(file), portalocker.Lock(home / f".{NAME}.lock", flags=portalocker.LockFlags.EXCLUSIVE):
        present = _settings(file.read_bytes()) if file.exists() else {}
        if present is None:  # the user has to mend it: a skill that was off must not come on by a restore
            refused["settings of skills, as the file here is damaged"] += len(sound)
            return 0, 0
        missing = {key: use for key, use in sound.items() if key not in present}
        if missing:
            write_json(file, {**present, **missing})
    return len(missing), len(sound) - len(missing)


def _settings(data: bytes) -> dict[str, Any] | None:
    """The object in a file; None where there is none."""
    with contextlib.suppress(ValueError, RecursionError):
        found: Any = json.loads(data)
        return found if isinstance(found, dict) else None
    return None
