"""Code in answers: Pygments says what is what, classes of ours name it, and variables colour it, light and dark."""

from __future__ import annotations

import html
import itertools
import re
from functools import cache
from typing import Any

# Lexers are regular expressions, and some take minutes for a crafted text: only these, which have been tried with such
LANGUAGES = {
    "bash": "bash", "sh": "bash", "shell": "bash", "zsh": "bash", "console": "console", "c": "c", "h": "c", "cpp": "cpp",
    "c++": "cpp", "csharp": "csharp", "cs": "csharp", "css": "css", "diff": "diff", "patch": "diff", "docker": "docker",
    "dockerfile": "docker", "go": "go", "golang": "go", "html": "html", "xml": "xml", "svg": "xml", "ini": "ini",
    "java": "java", "javascript": "javascript", "js": "javascript", "jsx": "javascript", "json": "json", "jsonl": "json",
    "kotlin": "kotlin", "makefile": "make", "make": "make", "php": "php", "powershell": "powershell",
    "python": "python", "py": "python", "python3": "python", "pycon": "pycon", "r": "r", "ruby": "ruby", "rb": "ruby",
    "rust": "rust", "rs": "rust", "scss": "scss", "sql": "sql", "swift": "swift", "toml": "toml", "ts": "typescript",
    "tsx": "typescript", "typescript": "typescript", "yaml": "yaml", "yml": "yaml",
}  # fmt: skip
NAME = re.compile(r"[\w+#.-]{1,30}", re.A)
MAX_COLOURED = 20_000  # characters
MAX_LINE = 400  # characters of a line that is still coloured: longer ones are data, and cubic for Java's lexer

# Pygments' classes by their beginning -> (ours, light, dark); contrast is at least 4.5 on the theme's surfaces
COLOURS = {
    "k": ("keyword", "#8a2be2", "#c9a2ff"), "s": ("string", "#3d7016", "#a8d08d"), "c": ("comment", "#6f6a60", "#9a948a"),
    "m": ("number", "#a8500a", "#f0b27a"), "nf": ("name", "#0b5cad", "#82b8ff"), "nc": ("name", "#0b5cad", "#82b8ff"),
    "nt": ("name", "#0b5cad", "#82b8ff"), "nb": ("known", "#0b6e66", "#6fcfc3"), "nd": ("mark", "#a8500a", "#f0b27a"),
    "na": ("mark", "#a8500a", "#f0b27a"), "gi": ("more", "#2f7d32", "#7bc67e"), "gd": ("less", "#b3261e", "#f2948c"),
}  # fmt: skip


def code_block(code: str, info: str) -> str:
    """HTML of a block of code. `info`: what stands behind the fence, untrusted; its first word names the language."""
    name = language(info)
    label = html.escape(name)
    return (
        f'<div class="code"><div class="code-head"><span>{label}</span>'
        '<button type="button" class="copy">Copy</button></div>'
        f'<pre tabindex="0" role="region" aria-label="Code"><code>{_coloured(code, name)}</code></pre></div>\n'
    )


def language(info: str) -> str:
    """The language's name as it is shown: "" for none, or for what is no name."""
    word = info.split(maxsplit=1)[0] if info.strip() else ""
    return word if NAME.fullmatch(word) else ""


def colours() -> tuple[str, str]:
    """CSS: the colours of both schemes as variables of an answer, and the classes that use them."""
    kinds = sorted(set(COLOURS.values()))
    light = ";".join(f"--code-{kind}:{colour}" for kind, colour, _ in kinds)
    dark = ";".join(f"--code-{kind}:{colour}" for kind, _, colour in kinds)
    classes = "\n".join(f".{kind} {{ color: var(--code-{kind}); }}" for kind, _, _ in kinds)
    return f".answer{{{light}}}\n.body--dark .answer{{{dark}}}\n", classes + "\n"


def _coloured(code: str, name: str) -> str:
    lexer = LANGUAGES.get(name.lower())
    if lexer is None or len(code) > MAX_COLOURED or any(len(line) > MAX_LINE for line in code.split("\n")):
        return html.escape(code)
    runs = itertools.groupby(_lexer(lexer).get_tokens(code), lambda token: _kind(token[0]))
    return "".join(
        f'<span class="{kind}">{html.escape(text)}</span>' if kind else html.escape(text)
        for kind, text in ((kind, "".join(value for _, value in tokens)) for kind, tokens in runs)
    )


@cache
def _kind(token: Any) -> str:
    """Our class of a token: few, since most of the time that code takes in a browser goes into elements."""
    from pygments.token import STANDARD_TYPES

    short = STANDARD_TYPES.get(token)
    while short is None and token.parent is not None:
        token = token.parent
        short = STANDARD_TYPES.get(token)
    found = COLOURS.get((short or "")[:2]) or COLOURS.get((short or "")[:1])
    return found[0] if found else ""


@cache
def _lexer(name: str) -> Any:
    from pygments.lexers import get_lexer_by_name

    # the code is shown as it is: no line is stripped, no end added
    return get_lexer_by_name(name, stripnl=False, ensurenl=False)
