"""Markdown of models, documents and skills, which nobody vouches for, to HTML that can do nothing.

What comes out has only elements and attributes that are written here: raw HTML is shown as text, links go to http, https
and mailto and open elsewhere, pictures of the web wait for a click, and no style, id or handler exists outside formulas
(which formulas.py checks). Tables, task lists, strikethrough, formulas, footnote marks and bare addresses are known.
"""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Callable, MutableMapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import reference as reference_rule

from chapeta.web import code_blocks, links
from chapeta.web.formulas import formulas, to_mathml

if TYPE_CHECKING:
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

Env = MutableMapping[str, Any]
# Links are looked for from each bracket to the end: with more of them than prose has, that is left out
MAX_BRACKETS = 300
NOTE = re.compile(r"\[\^([\w.-]{1,40})\](:?)")
BREAK = re.compile(r"<br\s*/?>", re.I)
TASK = re.compile(r"\[([ xX])\]\s+")
_local = threading.local()  # the parser of links keeps state between its calls


def render(text: str, env: Env | None = None, *, local_links: bool = False) -> str:
    """Safe HTML of a Markdown text, in time about linear (some 100 KB/s): longer texts belong in pieces, see stream_blocks.

    `env`: keeps reference definitions from one text to the next. `local_links`: links to the app's own pages (`/usage`,
    `#term`) work too, for texts that are ours.
    """
    crowded = text.count("[") > MAX_BRACKETS or text.count("://") > MAX_BRACKETS
    env = {} if env is None else env
    env["local_links"] = local_links
    return str(parser(linked=not crowded).render(text, env))


def parser(*, linked: bool = True) -> MarkdownIt:
    """This thread's parser."""
    name = "linked" if linked else "plain"
    found: MarkdownIt | None = getattr(_local, name, None)
    if found is None:
        found = make_parser(linked=linked)
        setattr(_local, name, found)
    return found


def css() -> tuple[str, str]:
    """Two style sheets: the colours of light and dark, for the page, and how rendered text looks, for inside an answer.
    Both use the theme's variables.
    """
    colours, classes = code_blocks.colours()
    return colours, (Path(__file__).parent / "components" / "answer.css").read_text("utf-8") + classes


# the cells that rows lack are made: few letters of an answer become many elements of the page
vars(importlib.import_module("markdown_it.rules_block.table"))["MAX_AUTOCOMPLETED_CELLS"] = 2000


def make_parser(*, linked: bool) -> MarkdownIt:
    """A new parser. `linked`: it looks for links and pictures."""
    md = MarkdownIt("js-default", {"html": False, "linkify": linked, "maxNesting": 40}, renderer_cls=_Renderer)
    md.disable(["replacements", "smartquotes"])
    md.validateLink = lambda url: links.is_link(url) or links.is_picture(url) or bool(links.LOCAL.fullmatch(url))  # type: ignore[method-assign]
    if md.linkify is not None:
        md.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    formulas(md)
    md.inline.ruler.before("link", "note", _note)
    md.inline.ruler.before("autolink", "break_tag", _break_tag)
    md.block.ruler.at("reference", _reference)
    md.core.ruler.push("links", _links)
    md.core.ruler.push("tasks", _tasks)
    if not linked:
        md.disable(["link", "image", "linkify", "autolink"])
    return md


def _image(token: Token) -> str:
    alt = "".join(child.content for child in token.children or ())
    return links.picture(str(token.attrGet("src") or ""), alt)


def _task(token: Token) -> str:
    mark, label = ("☐", "To do") if token.content == " " else ("☑", "Done")
    return f'<span class="box" role="img" aria-label="{label}">{mark}</span> '


def _wide(label: str) -> str:
    """The beginning of what may be wider than the window: it scrolls by itself, with the keyboard too."""
    return f'<div class="wide" tabindex="0" role="region" aria-label="{label}">'


def _cell(tag: str, token: Token) -> str:
    side = str(token.attrGet("style") or "").removeprefix("text-align:")
    return f'<{tag} class="{side}">' if side in ("right", "center") else f"<{tag}>"


WRITERS: dict[str, Callable[[Token], str]] = {
    "fence": lambda token: code_blocks.code_block(token.content, token.info),
    "code_block": lambda token: code_blocks.code_block(token.content, ""),
    "image": _image,
    "formula": lambda token: to_mathml(token.content, bool(token.meta["display"])),
    "formula_block": lambda token: f"{_wide('Formula')}{to_mathml(token.content, True)}</div>\n",
    "note": lambda token: f'<sup class="note">{token.content}</sup>',
    "task": _task,
    "table_open": lambda _: f"{_wide('Table')}<table>\n",
    "table_close": lambda _: "</table></div>\n",
    "th_open": lambda token: _cell("th", token),
    "td_open": lambda token: _cell("td", token),
}


class _Renderer(RendererHTML):
    """Writes some kinds of token as above, the others as plain HTML."""

    def __init__(self, md: MarkdownIt) -> None:
        super().__init__(md)
        for kind, write in WRITERS.items():
            self.rules[kind] = partial(_written, write)  # type: ignore[assignment]


def _written(write: Callable[[Token], str], tokens: Sequence[Token], place: int, *_: object) -> str:
    return write(tokens[place])


def _note(state: StateInline, silent: bool) -> bool:
    """A footnote's mark; at the beginning of a line with a colon behind it, what its text begins with."""
    found = NOTE.match(state.src, state.pos)
    if found is None:
        return False
    first = state.pos == 0 or state.src[state.pos - 1] == "\n"
    defines = bool(found[2]) and first
    if not silent:
        if defines and state.pos > 0:
            state.push("hardbreak", "br", 0)
        state.push("note", "sup", 0).content = found[1]
    state.pos = found.end() if defines else found.end(1) + 1
    return True


def _break_tag(state: StateInline, silent: bool) -> bool:
    """<br>, the one tag that models write where Markdown has no other way: in cells of tables."""
    found = BREAK.match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = found.end()
    return True


def _reference(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Definitions of links, except that `[^1]: text` is a footnote's."""
    if state.src.startswith("[^", state.bMarks[start_line] + state.tShift[start_line]):
        return False
    return reference_rule(state, start_line, end_line, silent)


def _links(state: StateCore) -> None:
    """Leaves links their address and how they open; what may not be followed is text."""
    local = bool(state.env.get("local_links"))
    for block in state.tokens:
        within = False
        for token in block.children or ():
            if token.type == "link_open":
                address = str(token.attrGet("href") or "")
                within = links.is_link(address, local)
                token.tag = "a" if within else "span"
                token.attrs = {}
                if within:
                    token.attrs = {"href": address}
                    if not links.LOCAL.fullmatch(address):
                        token.attrs |= {"rel": "noopener noreferrer nofollow", "target": "_blank"}
            elif token.type == "link_close":
                token.tag = "a" if within else "span"


def _tasks(state: StateCore) -> None:
    """Items that begin with [ ] or [x]."""
    tokens = state.tokens
    for place in range(2, len(tokens)):
        inline = tokens[place]
        if inline.type != "inline" or tokens[place - 2].type != "list_item_open" or not inline.children:
            continue
        text = inline.children[0]
        found = TASK.match(text.content) if text.type == "text" else None
        if found is None:
            continue
        text.content = text.content[found.end() :]
        box = type(inline)("task", "span", 0, content=found[1].strip().lower() or " ")
        inline.children.insert(0, box)
        tokens[place - 2].attrSet("class", "task")
