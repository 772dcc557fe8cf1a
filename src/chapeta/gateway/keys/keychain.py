"""The operating system's keychain, through keyring. Asked only where there is one, and never without an end.

On Linux it hangs on a D-Bus session, and its prompt may come up where nobody sees it. So without a session it is not
tried, and with one it gets a minute, in which a user can type a password.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from chapeta import config

SERVICE = "chapeta"
PATIENCE_S = 60.0

T = TypeVar("T")


class NoKeychain(Exception):
    """There is no keychain here, or it does not work. The message says why, without any key."""


def read(name: str, patience_s: float = PATIENCE_S) -> str | None:
    """The key stored under a name, None if there is none. Raises NoKeychain."""

    def look() -> str | None:
        value: str | None = _keyring().get_password(SERVICE, _user(name))
        return value

    return _within(patience_s, look)


def write(name: str, value: str, patience_s: float = PATIENCE_S) -> None:
    """Stores a key. Raises NoKeychain, also where it is not there afterwards (a keychain that was switched off)."""

    def store() -> str | None:
        ring = _keyring()
        ring.set_password(SERVICE, _user(name), value)
        kept: str | None = ring.get_password(SERVICE, _user(name))
        return kept

    if _within(patience_s, store, value) != value:
        raise NoKeychain("it did not keep what it was given")


def delete(name: str, patience_s: float = PATIENCE_S) -> bool:
    """Removes a key; False if there was none. Raises NoKeychain."""

    def drop() -> bool:
        ring = _keyring()
        if ring.get_password(SERVICE, _user(name)) is None:
            return False
        ring.delete_password(SERVICE, _user(name))
        return True

    return _within(patience_s, drop)


def _user(name: str) -> str:
    """The account's name. Another data directory than the default has keys of its own, so a trial never changes yours."""
    return f"{name} in {config.home().resolve()}" if os.environ.get(config.HOME_VARIABLE) else name


def _keyring() -> Any:
    """The backend in use. Raises NoKeychain."""
    if not _chosen() and _needs_session() and not os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        raise NoKeychain("no desktop session")
    try:
        import keyring
        from keyring.backends import fail, null
    except ImportError:
        raise NoKeychain("the package keyring is not installed") from None
    ring = keyring.get_keyring()
    if isinstance(ring, (fail.Keyring, null.Keyring)):
        raise NoKeychain("none is set up")
    return ring


def _needs_session() -> bool:
    return sys.platform not in ("darwin", "win32", "cygwin")


def _chosen() -> bool:
    """Whether the user told keyring what to use."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return bool(os.environ.get("PYTHON_KEYRING_BACKEND")) or (folder / "python_keyring" / "keyringrc.cfg").is_file()


def _within(patience_s: float, call: Callable[[], T], secret: str = "") -> T:
    """The result of a call that may hang: it is left to itself after that time. A backend may raise anything."""
    done: list[T] = []
    failed: list[str] = []

    def work() -> None:
        try:
            done.append(call())
        except NoKeychain as error:
            failed.append(str(error))
        except Exception as error:  # noqa: BLE001 - plug-ins of others: whatever it is, there is no keychain then
            why = " ".join(str(error).split())[:120] or "no reason given"
            failed.append(f"{type(error).__name__}: {why.replace(secret, '…') if secret else why}")

    thread = threading.Thread(target=work, daemon=True)  # so that a hanging one does not keep the process alive
    thread.start()
    thread.join(patience_s)
    if done:
        return done[0]
    raise NoKeychain(failed[0] if failed else f"it did not answer in {patience_s:g} s")
