"""How skills are used comes back with a backup, and what is set here stays."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from chapeta import config
from chapeta.skills import settings
from chapeta.storage import skill_settings
from chapeta.storage.backup import back_up_to, restore_from
from chapeta.storage.database import open_database


def test_the_words_are_those_of_the_library() -> None:
    assert skill_settings.USES == settings.USES
    assert config.home() / skill_settings.NAME == settings._file()


def test_what_is_set_here_stays_and_the_rest_comes_back(
    empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.write("triage", "always")
    settings.write("pirate", "off")
    with open_database() as database:
        written = back_up_to(database, tmp_path / "b.zip")
    assert written.counts["skill-settings.json"] == 1
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path / "other"))
    (tmp_path / "other").mkdir()
    settings.write("pirate", "model")
    with open_database() as database:
        restored = restore_from(database, written.path)
        assert (restored.added["skill-settings.json"], restored.already["skill-settings.json"]) == (1, 1)
        assert settings.read() == {"pirate": "model", "triage": "always"}
        again = restore_from(database, written.path)
        assert "skill-settings.json" not in again.added and again.already["skill-settings.json"] == 2


def test_a_backup_without_settings_writes_none(empty_home: Path, tmp_path: Path) -> None:
    with open_database() as database:
        written = back_up_to(database, tmp_path / "b.zip")
        restore_from(database, written.path)
    assert "skill-settings.json" not in written.counts
    assert not list(empty_home.glob("*skill-settings*"))


@pytest.mark.parametrize("data", [b"[]", b"{", b"", b"[" * 100_000, b"\xff\xfe"])
def test_what_are_no_settings_is_refused(empty_home: Path, data: bytes) -> None:
    refused: Counter[str] = Counter()
    assert skill_settings.merge_settings(empty_home, data, refused) == (0, 0)
    assert refused == {"damaged files": 1}
    assert settings.read() == {}


def test_only_sound_settings_are_taken(empty_home: Path) -> None:
    refused: Counter[str] = Counter()
    given = {"good": "hand", "bad": "sometimes", "worse": ["always"], "k" * 5000: "always"}
    assert skill_settings.merge_settings(empty_home, json.dumps(given).encode(), refused) == (1, 0)
    assert settings.read() == {"good": "hand"}
    assert refused == {"settings of skills that are none": 3}


def test_a_damaged_file_here_is_left_as_it_is(empty_home: Path) -> None:
    (empty_home / "skill-settings.json").write_text("{half")
    refused: Counter[str] = Counter()
    assert skill_settings.merge_settings(empty_home, b'{"a": "always"}', refused) == (0, 0)
    assert (empty_home / "skill-settings.json").read_text() == "{half"
    assert sum(refused.values()) == 1


def test_settings_beyond_the_bound_are_not_read(empty_home: Path, tmp_path: Path) -> None:
    with open_database() as database:
        path = back_up_to(database, tmp_path / "b.zip").path
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("skill-settings.json", json.dumps({"a": "off", "pad": "x" * (1 << 20)}))
        assert restore_from(database, path).refused == {"settings of more than 1 MiB": 1}
