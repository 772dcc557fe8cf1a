"""Pages with answers on them, for test_answer_browser.py: a script that serves them."""

from __future__ import annotations

import asyncio
import itertools
import time

from browser import run_pages
from nicegui import ui

from chapeta.web import theme
from chapeta.web.components.answer import Answer

SAMPLE = """# A title

Text with **bold**, `code`, $e^{i\\pi}+1=0$, [a link](https://example.com/x) and ![a cat](https://pictures.example/cat.png?q=secret).

1. one
2. two

   ```python
   def f(x):
       return x  # LONG
   ```

| left | right |
|:-----|------:|
| <b>not bold</b> | 2 |

- [x] done
- [ ] to do

$$ \\int_0^1 x^2\\,dx = \\frac13 $$

<img src=x onerror="window.owned=1"><script>window.owned=1</script>
""".replace("LONG", "a comment that does not fit into a window, however wide " * 5)
PART = SAMPLE.partition("<img")[0] + "Words of a paragraph that goes on, with *some* of `them` marked. " * 12 + "\n\n"


def tokens(count: int) -> list[str]:
    """An answer of that many tokens of about four characters."""
    text = PART * (count * 4 // len(PART) + 1)
    return [text[start : start + 4] for start in range(0, count * 4, 4)]


def show() -> Answer:
    theme.apply()

    with ui.element("div").classes("talk-column"), ui.element("article").classes("turn"):
        return Answer()


@ui.page("/sample")
def sample() -> None:
    answer = show()
    answer.set(SAMPLE)
    ui.button("Long", on_click=lambda: answer.set("".join(tokens(20_000))))


@ui.page("/long")
def long(count: int = 20_000) -> None:
    """A finished answer."""
    show().set("".join(tokens(count)))


@ui.page("/stream")
async def stream(count: int = 2_000, per_s: int = 1_000, kind: str = "mixed") -> None:
    """An answer that comes when the button is pressed; `#seen` then says the microseconds that
    a token took of this process, for each tenth of the answer."""
    answer = show()
    pieces = {
        "mixed": lambda: tokens(count),
        "code": lambda: ["```python\n", *(f"x{number} = {number}\n" for number in range(count))],
        "list": lambda: [f"1. Item {number} of a *list*\n" for number in range(count)],
        "line": lambda: ["word "] * count,
    }[kind]()

    async def run() -> None:
        marks = [(0, time.process_time())]
        begun = time.monotonic()
        for number, piece in enumerate(pieces, 1):
            answer.append(piece)
            ahead = begun + number / per_s - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)
            if number * 10 // len(pieces) == len(marks):
                marks.append((number, time.process_time()))
        answer.finish()
        each = [(end - start) / (to - at) * 1e6 for (at, start), (to, end) in itertools.pairwise(marks)]
        seen.text = " ".join(f"{one:.0f}" for one in each)

    ui.button("Start", on_click=run)
    seen = ui.label().props("id=seen").mark("seen")


SHARED: list[str] = []


@ui.page("/joined")
def joined() -> None:
    """What one page streams, a page that comes later has at once. Also: an element that is moved and hidden."""
    with ui.element("div").props("id=place") as place:
        answer = show()
        if SHARED:
            answer.set("".join(SHARED))

    def more() -> None:
        for piece in (f"Block {len(SHARED)}.\n\n", f"Open {len(SHARED)}"):
            SHARED.append(piece)
            answer.append(piece)

    def move() -> None:
        with ui.element("div").props("id=elsewhere") as elsewhere:
            pass
        place.move(elsewhere)

    ui.button("More", on_click=more)
    ui.button("Move", on_click=move)
    ui.button("Update", on_click=lambda: answer.update())
    ui.button("Finish", on_click=lambda: answer.finish())
    ui.button("Other", on_click=lambda: answer.set("Another *text*."))


theme.serve_assets()
run_pages()
