"""Notices callers who go away, so that the provider's work, and its bill, stops with them.

ASGI tells it only to a `receive` that waits. A task for that beside every call would cost more than the rest of the call,
so it is started for calls that have lasted a while: quick ones are over before anybody could change his mind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

LOOK_EVERY_S = 0.1
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Watched:
    """One call. `left`: its caller has gone, which is why the task was cancelled."""

    __slots__ = ("left", "listener", "receive", "task")

    def __init__(self, task: asyncio.Task[Any], receive: Receive) -> None:
        self.task = task
        self.receive = receive
        self.left = False
        self.listener: asyncio.Task[None] | None = None


class Watch:
    """The calls in flight. Belongs to one event loop."""

    def __init__(self) -> None:
        self._calls: set[Watched] = set()
        self._looking: asyncio.TimerHandle | None = None

    def begin(self, receive: Receive) -> Watched:
        """Cancels the current task if its caller goes away before `end`."""
        task = asyncio.current_task()
        assert task is not None
        watched = Watched(task, receive)
        self._calls.add(watched)
        if self._looking is None:
            self._look_later()
        return watched

    def end(self, watched: Watched) -> None:
        self._calls.discard(watched)
        if watched.listener is not None:
            watched.listener.cancel()

    def _look_later(self) -> None:
        self._looking = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        """Calls that have been here at the look before this one, or at this one, are listened to from now on."""
        self._looking = None
        if not self._calls:
            return
        loop = asyncio.get_running_loop()
        for watched in self._calls:
            if watched.listener is None:
                watched.listener = loop.create_task(_listen(watched))
        self._look_later()


async def _listen(watched: Watched) -> None:
    while (await watched.receive())["type"] != "http.disconnect":
        pass
    watched.left = True
    watched.task.cancel()
