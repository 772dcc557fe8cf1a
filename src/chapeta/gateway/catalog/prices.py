"""Prices of models, looked up once each, off the event loop: the price list takes half a second to load the first time."""

from __future__ import annotations

import asyncio

from chapeta.gateway.route import Route
from chapeta.types import Price


class Prices:
    """Remembers prices by model; `of` waits only for the first call of a model."""

    def __init__(self) -> None:
        self._known: dict[str, Price | None] = {}

    async def of(self, route: Route) -> Price | None:
        """The price of a route's model: what the user said of an own address, else the catalogue's; None if unknown."""
        if route.id not in self._known:
            if len(self._known) > 10_000:
                self._known.clear()
            self._known[route.id] = await asyncio.get_running_loop().run_in_executor(None, _look_up, route)
        return self._known[route.id]


def _look_up(route: Route) -> Price | None:
    from chapeta.gateway.catalog import price_of

    return price_of(route.id)
