r"""Formulas in Markdown: $...$, $$...$$, \(...\) and \[...\] become MathML, which browsers draw without a script.

The converter is math-core. What it returns is checked against a short list of elements and attributes before it is let
through, and what it cannot read, or what would nest too deeply for it, is shown as its source.
"""

from __future__ import annotations

import html
import re
from functools import cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from math_core import LatexToMathML

MAX_CHARS = 8_000
MAX_LINES = 200
# The converter recurses: on a stack of 1 MB, the smallest in use, it was measured to end the process from 388 nested
# groups, or 662 nested commands, on. Both limits together take less than 0.95 MB.
MAX_COMMANDS = 500
MAX_NESTING = 50
DELIMITERS = (("$$", "$$", True), (r"\[", r"\]", True), (r"\(", r"\)", False), ("$", "$", False))
ELEMENTS = frozenset(
    [
        "math",
        "mrow",
        "mi",
        "mn",
        "mo",
        "ms",
        "mtext",
        "mspace",
        "mfrac",
        "msqrt",
        "mroot",
        "msup",
        "msub",
        "msubsup",
        "mover",
        "munder",
        "munderover",
        "mmultiscripts",
        "mprescripts",
        "mtable",
        "mtr",
        "mtd",
        "mpadded",
        "mphantom",
        "mstyle",
        "menclose",
        "merror",
        "semantics",
    ]
)
ATTRIBUTES = frozenset(
    [
        "accent",
        "accentunder",
        "class",
        "columnalign",
        "columnspan",
        "depth",
        "display",
        "displaystyle",
        "fence",
        "form",
        "height",
        "intent",
        "largeop",
        "linethickness",
        "lspace",
        "mathcolor",
        "mathsize",
        "mathvariant",
        "maxsize",
        "minsize",
        "movablelimits",
        "notation",
        "rowspan",
        "rspace",
        "scriptlevel",
        "separator",
        "stretchy",
        "symmetric",
        "voffset",
        "width",
    ]
)
STYLE = re.compile(
    r"(?:(?:color|background-color|border(?:-\w+)?|math-depth|math-style|math-shift|text-align|justify-items|width|height"
    r"|font-size|font-weight|(?:padding|margin)(?:-\w+)?|vertical-align|transform-style):[\w\s.%#+-]*;?\s*)*"
)
VALUE = re.compile(r"[\w\s.%#+-]*")


def to_mathml(source: str, display: bool) -> str:
    """MathML of a formula in LaTeX; the escaped source in <code class="formula"> where it cannot be had."""
    from math_core import LatexError

    if not _within_limits(source):
        return _as_source(source)
    numbered = r"\tag" in source and r"\begin" not in source  # only numbered environments may have one
    formula = rf"\begin{{equation}}{source}\end{{equation}}" if numbered else source
    try:
        found = _converter().convert_with_local_state(formula, displaystyle=display)
    except LatexError:
        return _as_source(source)
    return found if _is_clean(found) else _as_source(source)


def formulas(md: MarkdownIt) -> None:
    """Teaches a parser the four pairs of delimiters. Its renderer gets tokens `formula` and `formula_block`."""
    md.inline.ruler.before("escape", "formula", _inline)
    md.block.ruler.before("fence", "formula_block", _block, {"alt": ["paragraph", "reference", "blockquote", "list"]})


def _inline(state: StateInline, silent: bool) -> bool:
    pair = next((pair for pair in DELIMITERS if state.src.startswith(pair[0], state.pos)), None)
    if pair is None:
        return False
    begin, end, display = pair
    start = state.pos + len(begin)
    stop = _end(state.src, start, min(state.posMax, start + MAX_CHARS), end)
    if stop < 0 or not (source := state.src[start:stop].strip()):
        return False
    if not silent:
        token = state.push("formula", "math", 0)
        token.content = source
        token.meta = {"display": display}
    state.pos = stop + len(end)
    return True


def _end(text: str, start: int, limit: int, end: str) -> int:
    """Where a formula's closing delimiter stands, or -1. A single $ has to hug what it encloses: prices are no formulas."""
    place = text.find(end, start, limit)
    if end != "$" or place < 0:
        return place
    while place > start and text[place - 1] == "\\":
        place = text.find(end, place + 1, limit)
    after = text[place + 1 : place + 2]
    if place <= start or text[start].isspace() or text[place - 1].isspace() or after.isdigit() or after == "$":
        return -1
    return place


def _block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A formula on lines of its own. It ends at its delimiter, or is none: in prose a blank line or code comes first."""
    if state.is_code_block(start_line):
        return False
    first = state.src[state.bMarks[start_line] + state.tShift[start_line] : state.eMarks[start_line]]
    end = "$$" if first.startswith("$$") else r"\]" if first.startswith(r"\[") else ""
    if not end:
        return False
    lines: list[str] = []
    for line in range(start_line, min(end_line, start_line + MAX_LINES)):
        text = first[2:] if line == start_line else state.getLines(line, line + 1, state.blkIndent, False)
        body, found, after = text.partition(end)
        inside = body.strip() and not body.lstrip().startswith(("```", "~~~", r"\["))
        if line > start_line and (state.sCount[line] < state.blkIndent or not (inside or found)):
            return False
        lines.append(body)
        if found:
            break
    else:
        return False
    source = "\n".join(lines).strip()
    if after.strip() or not source:
        return False
    if not silent:
        token = state.push("formula_block", "math", 0)
        token.content = source
        token.map = [start_line, line + 1]
        state.line = line + 1
    return True


def _within_limits(source: str) -> bool:
    depth = deepest = 0
    for character in source:
        if character == "{":
            depth += 1
            deepest = max(deepest, depth)
        elif character == "}":
            depth -= 1
    return len(source) <= MAX_CHARS and deepest <= MAX_NESTING and source.count("\\") <= MAX_COMMANDS


def _as_source(source: str) -> str:
    return f'<code class="formula">{html.escape(source)}</code>'


@cache
def _converter() -> LatexToMathML:
    from math_core import LatexToMathML

    # no macros of an answer's own: they multiply, past every limit on the source
    return LatexToMathML(fancy_error=False, max_expansions=0)


def _is_clean(mathml: str) -> bool:
    if "<!" in mathml or "<?" in mathml:
        return False
    check = _Check()
    check.feed(mathml)
    check.close()
    return check.clean


class _Check(HTMLParser):
    """Whether MathML has nothing but what is listed: no script, link, address, id or handler."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.clean = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ELEMENTS:
            self.clean = False
        for name, value in attrs:
            pattern = STYLE if name == "style" else VALUE
            if (name != "style" and name not in ATTRIBUTES) or not pattern.fullmatch(value or ""):
                self.clean = False
