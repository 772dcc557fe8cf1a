"""Writes docs/glossary.md from the terms in src/chapeta/web/terms/, which the app shows, so that the text exists once.

    python scripts/write_glossary.py         (PYTHONPATH=src from a checkout that is not installed)

tests/web/test_glossary.py fails when the page is not what this script would write.
"""

from __future__ import annotations

from pathlib import Path

from chapeta.web.glossary import PAGE_LINK, Term, terms

PAGE = Path(__file__).parents[1] / "docs" / "glossary.md"
HEAD = """\
# Glossary

The words that people stumble over: what each is, how it works, and what it is in Chapeta. **Bold** names of pages, such as
**Chat** and **Specialise**, are pages of [the app](guides/app.md), where this text stands too.

This page is generated: change the terms in `src/chapeta/web/terms/` and run `python scripts/write_glossary.py`.
"""


def write() -> None:
    """Replaces the page."""
    PAGE.write_text(rendered(), encoding="utf-8")


def rendered() -> str:
    """The page as it should be."""
    index = " · ".join(f"[{term.title}](#{term.slug})" for term in terms())
    return "\n".join((HEAD, f"{index}\n", *map(_section, terms())))


def _section(term: Term) -> str:
    """A term on the page. The app's addresses lead nowhere from here, so their names are printed bold instead."""
    titles = {other.slug: other.title for other in terms()}
    related = ", ".join(f"[{titles[slug]}](#{slug})" for slug in term.related)
    body = PAGE_LINK.sub(r"**\1**", term.body)
    return f"## {term.title}\n\n{term.short}\n\n{body}\n\nRelated: {related}\n"


if __name__ == "__main__":
    write()
