"""The confusions of a classifier: expected label against answered label. Figures stand in the cells, colour helps."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from chapeta.bench.report.data import Confusion
from chapeta.bench.report.svg import NARROW_PX, drawing, element, shorten, text, text_width

MOST_LABELS = 16
# Opacities: text in ink stays readable on the deepest, an error is seen on the faintest.
_DEEPEST, _FAINTEST = 0.65, 0.26


@dataclass(frozen=True, slots=True)
class MixUp:
    """How often one label was answered where another was expected."""

    expected: str
    answered: str
    rows: int
    of: int


def mix_ups(confusion: Confusion, limit: int = 8) -> list[MixUp]:
    """The most frequent wrong pairs, most frequent first; `of` is the number of rows that expect the label."""
    found = [
        MixUp(confusion.labels[i], confusion.labels[j], rows, sum(line))
        for i, line in enumerate(confusion.matrix)
        for j, rows in enumerate(line)
        if i != j and rows
    ]
    return sorted(found, key=lambda m: (-m.rows, m.expected, m.answered))[:limit]


def most_confused(confusion: Confusion, limit: int = MOST_LABELS) -> Confusion:
    """The part of the matrix with the labels that take part in most errors, in their old order; all if they fit."""
    n = len(confusion.labels)
    if n <= limit:
        return confusion
    matrix = confusion.matrix
    errors = [sum(matrix[i]) + sum(row[i] for row in matrix) - 2 * matrix[i][i] for i in range(n)]
    kept = sorted(sorted(range(n), key=lambda i: -errors[i])[:limit])
    part = tuple(tuple(matrix[i][j] for j in kept) for i in kept)
    return Confusion(confusion.candidate, tuple(confusion.labels[i] for i in kept), part)


def confusion_picture(confusion: Confusion, width: int) -> Markup:
    """Rows are expected labels, columns answers, numbered in the order of the rows. Right answers on the diagonal."""
    shown = most_confused(confusion)
    n = len(shown.labels)
    narrow = width <= NARROW_PX
    names = [f"{label} {i + 1}" for i, label in enumerate(shown.labels)]
    name_px = min(width * (0.36 if narrow else 0.34), max(text_width(name) for name in names) + 12)
    cell = min((width - name_px - 2) / max(n, 1), 58.0)
    row = min(cell, 34.0)
    top = 46.0
    marks = [
        text(0, 14, "Expected ↓", "axis"),
        text(name_px + cell * n / 2, 14, "Answered →", "axis", "middle"),
        *[text(name_px + (j + 0.5) * cell, top - 8, str(j + 1), "tick", "middle") for j in range(n)],
    ]
    for i, label in enumerate(shown.labels):
        name = f"{shorten(label, name_px - text_width(f' {i + 1}') - 10)} {i + 1}"
        marks.append(text(name_px - 8, top + (i + 0.5) * row + 4.5, name, "tick", "end"))
        marks += [_cell(shown, i, j, name_px + j * cell, top + i * row, cell, row) for j in range(n)]
    return drawing(width, top + row * n + 4, _description(confusion), *marks)


def _cell(shown: Confusion, i: int, j: int, x: float, y: float, width: float, height: float) -> Markup:
    rows, of = shown.matrix[i][j], sum(shown.matrix[i])
    tip = element("title", f"expected {shown.labels[i]}, answered {shown.labels[j]}: {rows}")
    kind = "cell" if not rows else "cell right" if i == j else "cell wrong"
    size = {"x": x + 1, "y": y + 1, "width": width - 2, "height": height - 2}
    fill = max(_DEEPEST * rows / of, _FAINTEST) if rows else None
    square = element("rect", tip, **size, rx=3, class_=kind, fill_opacity=None if fill is None else f"{fill:.3f}")
    if not rows:
        return square
    return square + text(x + width / 2, y + height / 2 + 4.5, str(rows), "count", "middle")


def _description(confusion: Confusion) -> str:
    right = sum(confusion.matrix[i][i] for i in range(len(confusion.labels)))
    total = sum(map(sum, confusion.matrix))
    pairs = "; ".join(f"{m.rows} of {m.of} {m.expected} as {m.answered}" for m in mix_ups(confusion, 5))
    return f"Confusions of {confusion.candidate}: {right} of {total} right. Most frequent errors: {pairs or 'none'}."
