"""Nothing makes the app's start slow unseen. How long it takes is measured in benchmarks/app."""

from __future__ import annotations

import urllib.request
from pathlib import Path

from apps import App


def test_the_first_page_is_there_soon_as_nothing_is_loaded_that_it_does_not_need(tmp_path: Path) -> None:
    with App(tmp_path, PYTHONPROFILEIMPORTTIME="1") as app:
        with urllib.request.urlopen(app.url, timeout=120) as page:
            assert "Chapeta" in page.read().decode()
        app.stop()
        loaded = {line.rpartition("|")[2].strip() for line in app.err.splitlines() if line.startswith("import time:")}
    assert {"nicegui", "chapeta.web.talk.view"} <= loaded
    assert not loaded & {"aiohttp.client", "requests.models", "numpy", "torch", "xllamacpp", "pypdfium2"}
