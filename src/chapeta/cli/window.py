"""A window of its own for the app: a browser's application mode, which every Chromium has. No toolkit is needed for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from chapeta.errors import Missing

NAMES = (
    "google-chrome", "google-chrome-stable", "chromium", "chromium-browser", "brave-browser", "microsoft-edge", "chrome",
    "msedge",
)  # fmt: skip
PLACES = {
    "darwin": (
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
        "/Applications/Brave Browser.app/Contents/MacOS/Brave Browser",
    ),
    "win32": (
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
    ),
}


def browser() -> str:
    """A browser with an application mode. Raises Missing."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    for place in PLACES.get(sys.platform, ()):
        if Path(place).exists():
            return place
    raise Missing(
        "A window of its own needs Chrome, Chromium, Edge or Brave, and none was found.",
        "Leave --native out: the app opens in your browser.",
    )


def open_window(address: str) -> None:
    """Opens the address without tabs and address bar."""
    command = [browser(), f"--app={address}", "--window-size=1200,820"]
    subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
