"""Everything that cannot be made again, in one file: chats, what calls cost, skills, datasets and deployments. Never keys.

    chapeta-backup.json              what this is, and of which version
    tables/NAME.jsonl                a line a row, from SQLite or PostgreSQL alike; bytes as Base64
    skills/… datasets/… …            the files as they are
    skill-settings.json              how skills are used

A backup is restored into either kind of database, and merged: what is here stays, what is missing is added. It may come
from anywhere, so it is read as something hostile; see `zips.py`, `folders.py` and `merge.py` for what holds. Rows are
kept in portions: a restore that is broken off has added a part, and the next one adds the rest.

What is written is within the bounds of what is read: a row beyond them is left out and told, and what would be packed
tighter than is read is stored as it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chapeta import config
from chapeta.errors import BadInput
from chapeta.files import disk_errors, replacing
from chapeta.progress import SILENT, Progress
from chapeta.storage import folders, skill_settings, tables
from chapeta.storage.database import Database
from chapeta.storage.merge import MOST_AT_ONCE, Merged, mend_tips, merge
from chapeta.storage.table_lines import TABLES, read_table, write_table
from chapeta.storage.zips import DAMAGE, is_too_tight, opened, require_bounds
from chapeta.types import Json

FORMAT, VERSION = "chapeta-backup", 1
MANIFEST = "chapeta-backup.json"
MOST_MANIFEST_BYTES = 1 << 20
BATCH_BYTES = 8 << 20
COMPRESSION = 6
TOO_MANY_SETTINGS = f"settings of more than {skill_settings.MOST_BYTES >> 20} MiB"


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What was written. counts: rows of each table, files of each folder; left_out: why, how many; size in bytes."""

    path: Path
    counts: dict[str, int]
    left_out: dict[str, int]
    size: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back, by table or folder; a skill, dataset or deployment counts as one.

    added: was not here; already: was here and stays as it is; refused: why, how many rows or files.
    """

    added: dict[str, int] = field(default_factory=dict)
    already: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)


def back_up_to(database: Database, path: Path, listener: Progress = SILENT) -> BackedUp:
    """Writes a backup, for its owner alone: the database as of one moment, and the folders of the data directory.

    The file appears whole or not at all. Raises BadInput if it exists, or where the disk refuses. Blocks.
    """
    if os.path.lexists(path):
        raise BadInput(f"{path} exists already.", "Name another file.")
    if path.parent.exists() and not path.parent.is_dir():
        raise BadInput(f"{path.parent} is a file, not a folder.", "Name another place.")
    links: Counter[str] = Counter()
    found = list(folders.files(config.home(), links))
    counts: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    with replacing(path) as file:
        for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
            counts, left_out = Counter(), Counter(links)
            with zipfile.ZipFile(file, "w", method, compresslevel=COMPRESSION) as archive:
                _write(database, archive, found, counts, left_out, listener)
            infos = archive.filelist
            require_bounds(path, infos)
            if not any(is_too_tight(some) for some in (infos, *([info] for info in infos))):
                break
            file.seek(0)
            file.truncate()
    return BackedUp(path, dict(counts), dict(+left_out), path.stat().st_size)


def restore_from(database: Database, path: Path, listener: Progress = SILENT) -> Restored:
    """Adds what a backup holds and is missing here; overwrites nothing. Blocks.

    Raises BadInput for a file that is no backup or beyond the bounds, having added nothing, and where the disk or the
    database refuses.
    """
    home = config.home()
    with disk_errors(home):
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    added: Counter[str] = Counter()
    already: Counter[str] = Counter()
    with opened(path, home) as (archive, members, refused):
        _check(path, archive, members.pop(MANIFEST, None))
        for name in TABLES:
            info = members.pop(f"tables/{name}.jsonl", None)
            if info is not None:
                merged = _restore_table(database, archive, info, name, listener)
                added[name], already[name] = merged.added, merged.already
                refused += merged.refused
        with database.write() as connection:
            mend_tips(connection)
        settings = members.pop(skill_settings.NAME, None)
        for unit, infos in folders.units(members, refused).items():
            listener.say("/".join(unit))
            done = folders.put_back(archive, unit, infos, home)
            outcome = {"added": added, "already": already}.get(done)
            if outcome is None:
                refused[done] += len(infos)
            else:
                outcome[unit[0]] += 1
        if settings is not None:
            added[skill_settings.NAME], already[skill_settings.NAME] = _restore_settings(archive, settings, refused)
    return Restored(dict(+added), dict(+already), dict(+refused))


def _write(
    database: Database,
    archive: zipfile.ZipFile,
    found: Sequence[tuple[str, Path]],
    counts: Counter[str],
    left_out: Counter[str],
    listener: Progress,
) -> None:
    about = {"format": FORMAT, "version": VERSION, "schema": tables.HEAD, "written": _now()}
    archive.writestr(MANIFEST, json.dumps(about) + "\n")
    with database.read() as connection:
        for name in TABLES:
            counts[name] = write_table(connection, archive, name, left_out, listener)
    for done, (name, source) in enumerate(found):
        listener.advance(done, len(found), name)
        try:
            archive.write(source, name)
            counts[name.partition("/")[0]] += 1
        except FileNotFoundError:
            left_out["files that went away meanwhile"] += 1
    if (settings := config.home() / skill_settings.NAME).is_file():
        if settings.stat().st_size > skill_settings.MOST_BYTES:
            left_out[TOO_MANY_SETTINGS] += 1
        else:
            archive.writestr(skill_settings.NAME, settings.read_bytes())
            counts[skill_settings.NAME] += 1


def _restore_table(
    database: Database, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, listener: Progress
) -> Merged:
    merged = Merged()
    batch: list[Json] = []
    size = done = 0
    rows = read_table(archive, info, name, merged.refused)
    while True:
        row, row_bytes = next(rows, (None, 0))
        if row is not None:
            batch.append(row)
            size += row_bytes
        if batch and (row is None or len(batch) == MOST_AT_ONCE or size >= BATCH_BYTES):
            with database.write() as connection:
                merged += merge(connection, TABLES[name][0], batch)
            done += size
            listener.advance(done, info.file_size, name)
            batch, size = [], 0
        if row is None:
            return merged


def _restore_settings(archive: zipfile.ZipFile, info: zipfile.ZipInfo, refused: Counter[str]) -> tuple[int, int]:
    """How many settings of skills were added, and how many were here."""
    if info.file_size > skill_settings.MOST_BYTES:
        refused[TOO_MANY_SETTINGS] += 1
        return 0, 0
    try:
        data = archive.read(info)
    except DAMAGE:
        refused["damaged files"] += 1
        return 0, 0
    return skill_settings.merge_settings(config.home(), data, refused)


def _check(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo | None) -> None:
    """Raises BadInput for a ZIP that is no backup of ours, or of a later program."""
    about: Any = None
    if info is not None and info.file_size <= MOST_MANIFEST_BYTES:
        with contextlib.suppress(*DAMAGE, RecursionError):
            about = json.loads(archive.read(info))
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise BadInput(f"{path} is a ZIP file, but no backup of ours.", "Give a file of `chapeta backup`.")
    if about.get("version") != VERSION:
        raise BadInput(f"{path} was written by a newer Chapeta.", "Update this program: pip install --upgrade chapeta.")


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
