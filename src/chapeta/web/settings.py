"""What the user has chosen for the app, in `settings.json` of the data directory. A damaged file is as none."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from chapeta import config
from chapeta.files import write_json


@dataclass(frozen=True, slots=True)
class Settings:
    """model: of new chats; look: "auto", "light" or "dark"."""

    model: str = config.DEFAULT_MODEL
    look: str = "auto"


def read() -> Settings:
    try:
        found: Any = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Settings()
    names = {field.name for field in fields(Settings)}
    given = found if isinstance(found, dict) else {}
    return Settings(**{name: value for name, value in given.items() if name in names and isinstance(value, str)})


def change(**changes: str) -> Settings:
    """Changes some and keeps the rest."""
    changed = replace(read(), **changes)
    write_json(_path(), asdict(changed))
    return changed


def _path() -> Path:
    return config.home() / "settings.json"
