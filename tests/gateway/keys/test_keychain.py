"""The OS keychain through keyring, with a real plug-in behind it, and where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import keyring
import pytest

from chapeta.gateway.keys import keychain
from chapeta.gateway.keys.keychain import NoKeychain
from file_keychain import FileKeychain

KEY = "sk-test-v1-0123456789abcdef0123456789abcdef"


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a keychain that works."""
    file = tmp_path / "keychain"
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "file_keychain.FileKeychain")
    monkeypatch.setenv("TEST_KEYCHAIN", str(file))
    keyring.set_keyring(FileKeychain())
    return file


def test_a_key_is_kept_read_and_dropped(ring: Path) -> None:
    assert keychain.read("openrouter") is None
    keychain.write("openrouter", KEY)
    assert keychain.read("openrouter") == KEY
    assert keychain.read("openai") is None
    assert keychain.delete("openrouter") is True
    assert keychain.delete("openrouter") is False
    assert keychain.read("openrouter") is None


def test_each_data_directory_has_keys_of_its_own(ring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keychain.write("openrouter", KEY)
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path / "trial"))
    assert keychain.read("openrouter") is None
    monkeypatch.delenv("CHAPETA_HOME")
    assert keychain.read("openrouter") is None
    keychain.write("openrouter", "the default's")
    assert json.loads(ring.read_text())["chapeta: openrouter"] == "the default's"
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path / "home"))
    assert keychain.read("openrouter") == KEY


def test_a_keychain_that_does_not_work_is_none(ring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEYCHAIN_MOOD", "locked")
    for call in (lambda: keychain.read("x"), lambda: keychain.write("x", KEY), lambda: keychain.delete("x")):
        with pytest.raises(NoKeychain, match="KeyringLocked: Failed to unlock") as caught:
            call()
        assert KEY not in str(caught.value)
    monkeypatch.setenv("TEST_KEYCHAIN_MOOD", "forgetful")
    with pytest.raises(NoKeychain, match="did not keep"):
        keychain.write("x", KEY)


def test_a_keychain_that_hangs_is_left(ring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEYCHAIN_MOOD", "hanging")
    begun = time.monotonic()
    with pytest.raises(NoKeychain, match=r"did not answer in 0\.1 s"):
        keychain.read("x", patience_s=0.1)
    assert time.monotonic() - begun < 5
    assert all(thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())


def test_a_process_ends_though_its_keychain_hangs(ring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEYCHAIN_MOOD", "hanging")
    script = "from chapeta.gateway.keys import keychain; keychain.write('x', 'y', patience_s=0.1)"
    done = run(script)
    assert done.returncode == 1
    assert "did not answer in 0.1 s" in done.stderr


@pytest.mark.parametrize(
    ("backend", "why"),
    [
        ("keyring.backends.fail.Keyring", "none is set up"),
        ("keyring.backends.null.Keyring", "none is set up"),
        ("no_such_module.Keyring", "ModuleNotFoundError"),
        ("", "no desktop session"),
    ],
)
def test_machines_without_a_keychain(
    backend: str, why: str, ring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)
    if not backend:
        if sys.platform != "linux":
            pytest.skip("only Linux has its keychain in the desktop session")
        monkeypatch.delenv("PYTHON_KEYRING_BACKEND")
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    done = run("from chapeta.gateway.keys import keychain; keychain.write('x', 'y')")
    assert f"NoKeychain: {why}" in done.stderr


def test_a_desktop_session_without_anyone_behind_it(
    ring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D-Bus is announced, but nobody listens there, as after a session that has ended."""
    if sys.platform != "linux":
        pytest.skip("D-Bus is Linux's")
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/gone")
    assert "NoKeychain:" in run("from chapeta.gateway.keys import keychain; keychain.write('x', 'y')").stderr


def test_a_backend_that_the_user_configured_needs_no_session(
    ring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "python_keyring").mkdir()
    (tmp_path / "python_keyring/keyringrc.cfg").write_text("[backend]\ndefault-keyring=file_keychain.FileKeychain\n")
    done = run("from chapeta.gateway.keys import keychain; keychain.write('x', 'y'); print(keychain.read('x'))")
    assert done.stdout == "y\n", done.stderr


def run(script: str) -> subprocess.CompletedProcess[str]:
    """A script in a process of its own, which has chosen no keychain yet."""
    paths = f"import sys; sys.path[:0] = {[str(Path(__file__).parents[2])]!r}; "
    return subprocess.run(
        [sys.executable, "-c", paths + script], capture_output=True, text=True, timeout=60, check=False
    )
