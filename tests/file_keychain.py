"""A keyring plug-in that keeps passwords in a file, so that tests have a keychain on any machine: a real one, but open.

Named to keyring by PYTHON_KEYRING_BACKEND=file_keychain.FileKeychain; the file by TEST_KEYCHAIN. TEST_KEYCHAIN_MOOD makes
it behave as keychains do on bad days: locked, forgetful, hanging.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class FileKeychain(KeyringBackend):
    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        self._be_in_mood()
        return self._read().get(f"{service}: {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._be_in_mood(password)
        if os.environ.get("TEST_KEYCHAIN_MOOD") != "forgetful":
            self._write({**self._read(), f"{service}: {username}": password})

    def delete_password(self, service: str, username: str) -> None:
        self._be_in_mood()
        kept = self._read()
        if kept.pop(f"{service}: {username}", None) is None:
            raise PasswordDeleteError(username)
        self._write(kept)

    def _be_in_mood(self, password: str = "") -> None:
        mood = os.environ.get("TEST_KEYCHAIN_MOOD")
        if mood == "locked":
            raise KeyringLocked(f"Failed to unlock the collection! {password}")
        if mood == "hanging":
            threading.Event().wait()

    def _file(self) -> Path:
        return Path(os.environ["TEST_KEYCHAIN"])

    def _read(self) -> dict[str, str]:
        return json.loads(self._file().read_text()) if self._file().exists() else {}

    def _write(self, kept: dict[str, str]) -> None:
        self._file().write_text(json.dumps(kept))
