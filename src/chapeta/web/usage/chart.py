"""A chart of the days: what was spent or how many tokens went through, stacked by group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from chapeta.gateway.ledger.over_time import OverTime

# calm, told apart by people with any colour vision, readable on paper and ink
COLOURS = ("#0b8478", "#c7862b", "#5b7fc7", "#a3568f", "#7a9a3a", "#b5564a", "#8a8578")
GREY = "#8a8578"


def chart(days: OverTime, name: Callable[[str], str]) -> None:
    """Bars of the days, with a switch between dollars and tokens. name: a group as people know it."""
    if not days.days:
        return
    with ui.element("div").classes("card"), ui.column().classes("w-full gap-2"):
        with ui.row().classes("w-full items-center"):
            ui.label("Day by day (UTC)").classes("small muted")
            ui.element("div").classes("spread")
            unit = ui.toggle({"usd": "USD", "tokens": "Tokens"}, value="usd" if days.is_paid else "tokens")
            unit.props('no-caps unelevated dense toggle-color=primary aria-label="What the bars show"')
        bars = ui.echart(_options(days, name, unit.value)).style("height: 240px").classes("w-full")
        bars.props(f'role=img aria-label="Usage on {len(days.days)} days"')

        def draw() -> None:
            bars.options.clear()
            bars.options.update(_options(days, name, unit.value))
            bars.update()

        unit.on_value_change(draw)


def _options(days: OverTime, name: Callable[[str], str], unit: str) -> dict[str, Any]:
    labels = [name(one.group) if one.group is not None else "all others" for one in days.series]
    series = [
        {
            "name": label, "type": "bar", "stack": "all", "barMaxWidth": 36,
            "data": [round(value, 6) for value in (one.usd if unit == "usd" else one.tokens)],
            "itemStyle": {"color": GREY if one.group is None else COLOURS[place % len(COLOURS)]},
        }
        for place, (label, one) in enumerate(zip(labels, days.series, strict=True))
    ]  # fmt: skip
    return {
        "grid": {"left": 8, "right": 8, "top": 34, "bottom": 4, "containLabel": True},
        "legend": {"type": "scroll", "top": 0, "left": 0, "textStyle": {"color": GREY}, "itemWidth": 12, "itemHeight": 12},
        "xAxis": {"type": "category", "data": list(days.days), "axisTick": {"show": False}, "axisLabel": {"color": GREY}},
        "yAxis": {"type": "value", "splitLine": {"lineStyle": {"opacity": 0.25}}, "axisLabel": {"color": GREY}},
        "tooltip": {"trigger": "axis", "confine": True, "renderMode": "richText"},  # names are text, never markup
        "animation": False,
        "series": series,
    }  # fmt: skip
