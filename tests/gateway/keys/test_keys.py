"""Keys that users brought: where they are looked for, where they go, that they are seen nowhere else."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import keyring
import pytest

from chapeta.errors import BadInput, Corrupt, Missing
from chapeta.gateway import keys
from chapeta.gateway.keys import Secret
from chapeta.gateway.providers.remote import Remote
from file_keychain import FileKeychain

KEY = "sk-test-v1-0123456789abcdef0123456789abcdef"
OTHER = "sk-other-99999999999999999999999999998888"
REMOTE = Remote("maker", "Maker", "https://maker.invalid/v1", ("MAKER_API_KEY", "MAKER_KEY"))
REMOTES = {"maker": REMOTE, "local": Remote("local", "Local", "http://127.0.0.1:9/v1", needs_key=False)}
POSIX = pytest.mark.skipif(os.name == "nt", reason="modes of files are POSIX's")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory that is not there yet, on a machine without a keychain."""
    home = tmp_path / "data" / "home"
    monkeypatch.setenv("CHAPETA_HOME", str(home))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    keyring.set_keyring(keyring.backends.fail.Keyring())
    for name in REMOTE.key_variables:
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def ring(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a keychain that works."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "file_keychain.FileKeychain")
    monkeypatch.setenv("TEST_KEYCHAIN", str(tmp_path / "keychain"))
    keyring.set_keyring(FileKeychain())
    return tmp_path / "keychain"


def files_with(value: str, folder: Path) -> set[str]:
    return {file.name for file in folder.rglob("*") if file.is_file() and value in file.read_text(errors="replace")}


def test_no_key_and_nothing_touched(folder: Path) -> None:
    assert keys.find(REMOTE) is None
    assert keys.listed(REMOTES) == []
    assert keys.stamp() == 0
    assert not folder.exists()


def test_a_key_in_the_file(folder: Path) -> None:
    where = keys.store("maker", Secret(KEY))
    assert where == f"{folder / 'keys.json'} (mode 0600; there is no keychain here: none is set up)"
    found = keys.find(REMOTE)
    assert found == Secret(KEY)
    assert files_with(KEY, folder) == {"keys.json"}
    (fact,) = keys.listed(REMOTES)
    assert (fact.name, fact.where, fact.mask, fact.in_use) == ("maker", "file", "sk-test-…cdef", True)
    assert fact.stored.startswith("20")
    assert keys.remove("maker") is True
    assert keys.remove("maker") is False
    assert keys.find(REMOTE) is None
    assert files_with(KEY, folder) == set()


@POSIX
def test_only_the_owner_may_read(folder: Path) -> None:
    before = os.umask(0)
    try:
        keys.store("maker", Secret(KEY))
    finally:
        os.umask(before)
    modes = {file.name: file.stat().st_mode & 0o777 for file in (folder, *folder.iterdir())}
    assert modes.pop("home") == 0o700
    assert set(modes) >= {"keys.json", "keys-index.json"}
    assert set(modes.values()) == {0o600}


@POSIX
def test_a_file_that_others_can_read_is_mended_aloud(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys.store("maker", Secret(KEY))
    (folder / "keys.json").chmod(0o644)
    with caplog.at_level(logging.WARNING):
        assert keys.find(REMOTE) == Secret(KEY)
    assert (folder / "keys.json").stat().st_mode & 0o777 == 0o600
    assert "keys.json was open to others (mode 0644). It is 0600 now." in caplog.text
    assert KEY not in caplog.text
    caplog.clear()
    keys.find(REMOTE)
    assert not caplog.text


@POSIX
def test_a_folder_that_the_user_made_keeps_its_mode(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    keys.store("maker", Secret(KEY))
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_key_in_the_keychain(folder: Path, ring: Path) -> None:
    assert keys.store("maker", Secret(KEY)) == "the OS keychain"
    assert keys.find(REMOTE) == Secret(KEY)
    assert files_with(KEY, folder) == set()
    assert KEY in ring.read_text()
    assert [(f.where, f.mask) for f in keys.listed(REMOTES)] == [("keychain", "sk-test-…cdef")]
    assert keys.remove("maker") is True
    assert KEY not in ring.read_text()
    assert keys.find(REMOTE) is None


def test_a_locked_keychain_is_asked_for_nothing_that_it_does_not_have(
    folder: Path, ring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.store("maker", Secret(KEY))
    monkeypatch.setenv("TEST_KEYCHAIN_MOOD", "hanging")  # whoever asked it would wait for a minute
    assert len(keys.listed(REMOTES)) == 1
    assert keys.find(REMOTES["local"]) is None
    monkeypatch.setenv("TEST_KEYCHAIN_MOOD", "locked")
    with pytest.raises(Missing, match=r"OS keychain, which cannot be used.*set MAKER_API_KEY, or run") as caught:
        keys.find(REMOTE)
    assert KEY not in str(caught.value)
    with pytest.raises(Missing, match="Remove it where you can unlock"):
        keys.remove("maker")
    assert len(keys.listed(REMOTES)) == 1


def test_the_newest_key_counts_wherever_it_went(folder: Path, ring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.store("maker", Secret(KEY))
    monkeypatch.setenv("TEST_KEYCHAIN_MOOD", "locked")
    assert "keys.json" in keys.store("maker", Secret(OTHER))
    assert keys.find(REMOTE) == Secret(OTHER)
    monkeypatch.delenv("TEST_KEYCHAIN_MOOD")
    assert keys.find(REMOTE) == Secret(OTHER)
    assert keys.store("maker", Secret(KEY)) == "the OS keychain"
    assert keys.find(REMOTE) == Secret(KEY)
    assert files_with(OTHER, folder) == set()
    monkeypatch.setenv("TEST_KEYCHAIN_MOOD", "locked")
    keys.store("maker", Secret(OTHER))
    monkeypatch.delenv("TEST_KEYCHAIN_MOOD")
    assert keys.remove("maker") is True
    assert KEY not in ring.read_text() and files_with(OTHER, folder) == set()


def test_environment_variables_come_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.store("maker", Secret(KEY))
    monkeypatch.setenv("MAKER_API_KEY", "  ")
    monkeypatch.setenv("MAKER_KEY", f'"{OTHER}"\n')
    assert keys.find(REMOTE) == Secret(OTHER)
    assert keys.variable_of(REMOTE) == "MAKER_KEY"
    facts = keys.listed(REMOTES)
    assert [(f.where, f.mask, f.in_use) for f in facts] == [
        ("environment variable MAKER_KEY", "sk-other-…8888", True),
        ("file", "sk-test-…cdef", False),
    ]
    monkeypatch.setenv("MAKER_API_KEY", f"{KEY} and more")
    with pytest.raises(BadInput, match="environment variable MAKER_API_KEY has white space inside") as caught:
        keys.find(REMOTE)
    assert KEY not in str(caught.value)
    assert "white space" in keys.listed(REMOTES)[0].problem


@pytest.mark.parametrize(
    "content",
    ["{", '{"maker": "' + KEY, "[1]", '{"maker": 5}', "\udcff", "[" * 100_000, '{"maker": ' + "9" * 5000 + "}"],
)
def test_a_damaged_file_is_named_and_left_alone(folder: Path, content: str) -> None:
    folder.mkdir(parents=True)
    data = content.encode(errors="surrogateescape")
    for name in ("keys.json", "keys-index.json"):
        file = folder / name
        file.write_bytes(data)
        file.chmod(0o600)
        for call in (
            lambda: keys.find(REMOTE), lambda: keys.store("maker", Secret(OTHER)), lambda: keys.listed(REMOTES),
        ):  # fmt: skip
            with pytest.raises(Corrupt, match=name) as caught:
                call()
            assert KEY not in str(caught.value)
        assert file.read_bytes() == data
        file.unlink()


def test_a_lost_index_does_not_lose_the_file(folder: Path) -> None:
    keys.store("maker", Secret(KEY))
    (folder / "keys-index.json").unlink()
    assert keys.find(REMOTE) == Secret(KEY)
    assert [(f.where, f.mask, f.stored) for f in keys.listed(REMOTES)] == [("file", "sk-test-…cdef", "")]
    assert keys.remove("maker") is True
    assert keys.find(REMOTE) is None


def test_the_stamp_changes_with_each_change_and_only_then(folder: Path) -> None:
    stamps = [keys.stamp()]
    for n in range(20):  # faster than the clocks of file systems tick
        keys.store("maker", Secret(f"{KEY}{n}"))
        stamps.append(keys.stamp())
    keys.find(REMOTE), keys.listed(REMOTES), keys.remove("nobody")
    assert keys.stamp() == stamps[-1]
    keys.remove("maker")
    stamps.append(keys.stamp())
    assert stamps == sorted(set(stamps))


@pytest.mark.parametrize("kind", ["file", "keychain"])
def test_processes_that_store_at_once_lose_nothing(kind: str, folder: Path, request: pytest.FixtureRequest) -> None:
    if kind == "keychain":
        request.getfixturevalue("ring")
    script = (
        "import sys; from chapeta.gateway import keys;"
        "[keys.store(f'{sys.argv[1]}-{n}', keys.Secret(f'secret-{sys.argv[1]}-{n}')) for n in range(12)];"
        "[keys.remove(f'{sys.argv[1]}-{n}') for n in range(0, 12, 4)]"
    )
    running = [start(script, name) for name in ("a", "b", "c")]
    for process in running:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    kept = {f"{name}-{n}" for name in "abc" for n in range(12) if n % 4}
    assert {fact.name for fact in keys.listed({})} == kept
    assert {fact.where for fact in keys.listed({})} == {kind}
    for name in kept:
        assert keys.find(Remote(name, name, "")) == Secret(f"secret-{name}")
    assert not [file for file in folder.iterdir() if file.name.startswith(".")]


@POSIX
def test_a_killed_holder_leaves_no_lock(folder: Path) -> None:
    script = (
        "import sys, time; from chapeta.gateway import keys; from chapeta.gateway.keys import private\n"
        "with private.changing(keys.index_path()): print('held', flush=True); time.sleep(600)"
    )
    holder = start(script, "")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    keys.store("maker", Secret(KEY))
    assert keys.find(REMOTE) == Secret(KEY)


def test_a_folder_that_cannot_be_written(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").write_text("a file")
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path / "plain" / "home"))
    with pytest.raises(BadInput, match="plain"):
        keys.store("maker", Secret(KEY))


def test_the_index_holds_no_key(folder: Path) -> None:
    keys.store("maker", Secret(KEY))
    index = json.loads((folder / "keys-index.json").read_text())
    assert set(index["maker"]) == {"where", "mask", "stored"}


def test_looking_for_keys_loads_no_keyring(folder: Path) -> None:
    """It takes a fifth of a second, and every command of the gateway looks for keys."""
    script = (
        "from chapeta.gateway import keys; from chapeta.gateway.providers import addresses; remotes = addresses.remotes();"
        "[keys.find(remote) for remote in remotes.values()]; keys.listed(remotes);"
        "print({'keyring', 'sqlalchemy', 'ssl'} & set(sys.modules))"
    )
    process = start(script, "")
    assert process.communicate(timeout=60) == ("set()\n", "")


def start(script: str, word: str) -> subprocess.Popen[str]:
    paths = f"import sys; sys.path[:0] = {[str(Path(__file__).parents[2])]!r}\n"
    return subprocess.Popen(
        [sys.executable, "-c", paths + script, word], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
