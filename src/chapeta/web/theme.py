"""How everything looks: one style sheet, light and dark, and the mark. Nothing is loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

from nicegui import app, ui

STATIC = Path(__file__).parent / "static"
ASSETS = "/assets"
ACCENT = "#0b6e66"
# two overlapping answers of which one is chosen
MARK = (
    '<svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round">'
    '<path d="M4 5h11v9H8l-4 3.5z"/><path d="M9 18h7l4 3v-12h-2" opacity=".45"/></svg>'
)
FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#0b6e66" stroke-width="2.4"'
    ' stroke-linejoin="round"><path d="M4 5h11v9H8l-4 3.5z"/><path d="M9 18h7l4 3v-12h-2" opacity=".5"/></svg>'
)


def serve_assets() -> None:
    """The style sheet and pictures, under one path."""
    app.add_static_files(ASSETS, STATIC, max_cache_age=0)


def apply() -> None:
    """Dresses the page that is being built."""
    ui.add_head_html(f'<link rel="stylesheet" href="{ASSETS}/theme.css">')
    ui.colors(primary=ACCENT, dark="#1f1e1b", dark_page="#171614")
