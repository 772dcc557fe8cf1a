"""The pages, one file each. A page is a module with `show(services)`, and a line in this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its module here, its address, its name and icon in the side. Without an icon it is not listed there."""

    module: str
    path: str
    title: str
    icon: str = ""


PAGES = (
    Page("chat", "/", "Chat"),
    Page("chat", "/chat/{name}", "Chat"),
    Page("chats", "/chats", "Chats", "forum"),
    Page("chats", "/search", "Chats"),
    Page("compare", "/compare", "Side by side", "compare"),
    Page("compare", "/compare/{name}", "Side by side"),
    Page("examples", "/examples", "Examples", "school"),
    Page("examples", "/examples/{name}", "Examples"),
    Page("specialise", "/specialise", "Specialise", "rocket_launch"),
    Page("specialise", "/specialise/{name}", "Specialise"),
    Page("skills", "/skills", "Skills", "auto_stories"),
    Page("skills", "/skills/{name}", "Skills"),
    Page("models", "/models", "Models and keys", "key"),
    Page("usage", "/usage", "Usage", "bar_chart"),
    Page("help", "/help", "Help", "help_outline"),
    Page("help", "/help/{name}", "Help"),
)
