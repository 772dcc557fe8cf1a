"""What pages work with: one object a process, made by the app and handed to every page."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from chapeta.chat.live import Live
from chapeta.chat.store import Chats
from chapeta.errors import ChapetaError
from chapeta.gateway.catalog import Catalog
from chapeta.gateway.core import Core
from chapeta.gateway.ledger import Ledger
from chapeta.storage.database import Database

SLOW_AT_ONCE = 4
DAY_S = 86_400
Given = ParamSpec("Given")
Result = TypeVar("Result")


@dataclass(slots=True)
class Services:
    """database and chats block: call them through `thread`."""

    database: Database
    ledger: Ledger
    core: Core
    chats: Chats
    live: Live
    catalog: Catalog
    stop: Callable[[], None]
    before_close: set[Callable[[], None]] = field(default_factory=set)  # each tells slow work to end

    async def keep_house(self) -> None:
        """Removes what nobody wants any more: after the start, which does not wait for it, and then once a day."""
        from chapeta.jobs.dropped import forget_old  # the start does not wait for these either
        from chapeta.jobs.leftovers import clear_leftovers

        while True:
            for tidy in (self.chats.purge, clear_leftovers, forget_old):
                with contextlib.suppress(ChapetaError, OSError):  # a locked database: the next time
                    await slow(tidy)
            await asyncio.sleep(DAY_S)

    async def close(self) -> None:
        """Ends answers and calls, and writes what is left."""
        for end in self.before_close:
            end()
        self.stop()
        await self.live.close()
        await self.core.close()


async def slow(function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """As `thread`, for what may take seconds, as reading a document: a few at once, and no page's query waits behind it."""
    work = functools.partial(contextvars.copy_context().run, function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_slow, work)


_slow = ThreadPoolExecutor(SLOW_AT_ONCE, "slow")


async def thread(function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """Runs what blocks in a thread, so that no page waits for another's query."""
    return await asyncio.to_thread(function, *args, **kwargs)
