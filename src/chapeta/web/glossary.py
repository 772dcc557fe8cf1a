"""The words that people stumble over, in ours: one Markdown file a term in `terms/`, read for the pages and for the docs.

A file is named as its term's slug and has a title, a line of one sentence (which stands behind the question marks of the
pages), then the explanation, and at its end the related terms:

    # Title  ·  one sentence  ·  paragraphs  ·  Related: [Another term](#slug), …

`(#slug)` leads to another term, `(/path)` to a page of the app. docs/glossary.md is written from the same files by
scripts/write_glossary.py, so the text exists once and comes with the installed package.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from chapeta.errors import Corrupt, Missing

FOLDER = Path(__file__).parent / "terms"
FORM = re.compile(r"# (?P<title>[^\n]+)\n\n(?P<short>[^\n]+)\n\n(?P<body>.+)\n\nRelated: (?P<related>.+)\n", re.DOTALL)
TERM_LINK = re.compile(r"\[([^\]]+)\]\(#([a-z0-9-]+)\)")
PAGE_LINK = re.compile(r"\[([^\]]+)\]\((/[a-z/-]*)\)")
NOWHERE = 4  # further out than the body


@dataclass(frozen=True, slots=True)
class Link:
    """A page of the app, as the text names it."""

    title: str
    path: str


@dataclass(frozen=True, slots=True)
class Term:
    """A word and what it means.

    short:   one sentence without markup, under 160 characters.
    body:    Markdown of paragraphs and lists, with links to terms and pages; neither title nor `short` is in it.
    related: slugs of other terms, the nearest first.
    links:   the pages of the app that the body leads to, each once.
    """

    slug: str
    title: str
    short: str
    body: str
    related: tuple[str, ...]
    links: tuple[Link, ...]


@cache
def terms() -> tuple[Term, ...]:
    """All terms by title. Some forty small files are read once a process."""
    found = (read(path) for path in FOLDER.glob("*.md"))
    return tuple(sorted(found, key=lambda term: term.title.casefold()))


def term(slug: str) -> Term:
    """One term; Missing, with the nearest ones, where there is none of that slug."""
    known = {each.slug: each for each in terms()}
    if slug in known:
        return known[slug]
    import difflib  # for this alone

    near = difflib.get_close_matches(slug.lower(), known, n=3)
    remedy = f"Near it: {', '.join(near)}." if near else "Look through the list of terms."
    raise Missing(f"The glossary has no term {slug[:80]!r}.", remedy)


def search(words: str) -> list[Term]:
    """The terms in which every word occurs: those first that have them in the title, then in the short sentence."""
    wanted = words.casefold().split()
    found = [(_place(each, wanted), each) for each in terms()]
    return [each for place, each in sorted(found, key=lambda pair: pair[0]) if place < NOWHERE]


def _place(each: Term, wanted: list[str]) -> int:
    """How far out the words first occur all together: 0 the title begins with them, NOWHERE not at all."""
    title, short = each.title.casefold(), each.short.casefold()
    if title.startswith(" ".join(wanted)):
        return 0
    for place, text in enumerate((title, f"{title}\n{short}", f"{title}\n{short}\n{each.body.casefold()}"), start=1):
        if all(word in text for word in wanted):
            return place
    return NOWHERE


def read(path: Path) -> Term:
    """One file as a term. Raises Corrupt where it has not the form above."""
    found = FORM.fullmatch(path.read_text(encoding="utf-8"))
    if found is None:
        raise Corrupt(f"{path} is not a term of the glossary.", "Install Chapeta again.")
    links: dict[str, Link] = {}
    for title, page in PAGE_LINK.findall(found["body"]):
        links.setdefault(page, Link(title, page))
    related = tuple(slug for _, slug in TERM_LINK.findall(found["related"]))
    return Term(path.stem, found["title"], found["short"], found["body"], related, tuple(links.values()))
