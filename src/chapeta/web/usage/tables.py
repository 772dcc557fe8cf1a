"""Usage as tables: sums on top, a line a group; chats with a link to each."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from chapeta.gateway.ledger.chats import MOST_CHATS, ChatUsed
from chapeta.gateway.ledger.usage import UsageReport, Used
from chapeta.web import words

NOTHING = {"model": "no model", "provider": "no provider", "deployment": "no deployment", "key": "without a key"}
WIDE_ONLY = ("Tokens in", "Tokens out", "p50", "p95", "Last")
HEADS = ("Calls", "Tokens in", "Tokens out", "Spent", "p50", "p95")


def totals(total: Used) -> None:
    """The sums, and how many calls are not in the sum of dollars."""
    with ui.row().classes("w-full gap-3"):
        figures = (
            ("Spent", words.usd(total.usd) if total.calls else "nothing yet"),
            ("Calls", f"{total.calls:,}"),
            ("Tokens in", words.tokens(total.tokens_in or 0)),
            ("Tokens out", words.tokens(total.tokens_out or 0)),
            ("Failed", f"{total.errors:,}"),
        )
        for name, value in figures:
            with ui.element("div").classes("card").style("flex: 1 1 120px; min-width: 110px; padding: 12px 14px"):
                ui.label(name).classes("small muted")
                ui.label(value).style("font-size: 20px; font-weight: 600")
    if total.cost_unknown_calls:
        told = f"The cost of {total.cost_unknown_calls:,} calls is unknown; they are not in the sum."
        ui.label(told).classes("small warn")


def groups(report: UsageReport, head: str) -> None:
    """A line a group, the costliest first."""
    with _table((head, *HEADS)):
        for row in report.rows:
            cells = (
                f"{row.calls:,}", words.tokens(row.tokens_in or 0), words.tokens(row.tokens_out or 0),
                words.usd(row.usd) + _unknown(row.cost_unknown_calls, row.usd),
                words.seconds(row.latency_p50_ms), words.seconds(row.latency_p95_ms),
            )  # fmt: skip
            with ui.element("tr"):
                with ui.element("td").style("overflow-wrap: anywhere; min-width: 140px"):
                    ui.label(row.group or NOTHING[report.by]).classes("" if row.group else "muted")
                _cells(HEADS, cells)
        if not report.rows:
            _none(len(HEADS) + 1)


def chats(found: Sequence[ChatUsed]) -> None:
    """A line a chat, with the way there."""
    heads = ("Calls", "Tokens in", "Tokens out", "Spent", "Last")
    with _table(("Chat", *heads)):
        for chat in found:
            cells = (
                f"{chat.calls:,}", words.tokens(chat.tokens_in), words.tokens(chat.tokens_out),
                words.usd(chat.usd) + _unknown(chat.cost_unknown_calls, chat.usd), words.when(chat.last_s),
            )  # fmt: skip
            with ui.element("tr"):
                with ui.element("td").style("overflow-wrap: anywhere; min-width: 140px"):
                    if chat.is_gone:
                        ui.label(f"{chat.title} (deleted)" if chat.title else "a deleted chat").classes("muted")
                    else:
                        ui.link(chat.title or "New chat", f"/chat/{chat.id}")
                _cells(heads, cells)
        if not found:
            _none(len(heads) + 1)
    told = "Answers in chats only; the figures above also count titles, summaries, the command line and your server."
    ui.label(told if len(found) < MOST_CHATS else f"The {MOST_CHATS} costliest. {told}").classes("small muted")


def _table(heads: Sequence[str]) -> ui.element:
    """A table with its head; what is made inside it are its lines."""
    card = ui.element("div").classes("card").style("padding: 0; overflow-x: auto")
    with card, ui.element("table").classes("grid-table"):
        with ui.element("thead"), ui.element("tr"):
            for place, name in enumerate(heads):
                with ui.element("th").classes(_kind(name) if place else "").props("scope=col"):
                    ui.label(name)
        return ui.element("tbody")


def _kind(name: str) -> str:
    """A figure's column; those of less weight are left out on a narrow window."""
    return "num wide-only" if name in WIDE_ONLY else "num"


def _cells(heads: Sequence[str], texts: Sequence[str]) -> None:
    for head, text in zip(heads, texts, strict=True):
        with ui.element("td").classes(_kind(head)).style("white-space: nowrap"):
            ui.label(text)


def _none(columns: int) -> None:
    with ui.element("tr"), ui.element("td").props(f"colspan={columns}"):
        ui.label("No calls yet.").classes("muted")


def _unknown(calls: int, usd: float | None) -> str:
    return f" + {calls:,} unknown" if calls and usd else ""
