"""Whose turn it is: which requests an engine is given, and which wait.

llama.cpp writes tokens for several requests in one step only if they have the same adapter, and where they have not,
those in its first slot go first until they end: a persona that is asked again and again would keep the others waiting
for ever. So it is given requests of one adapter at a time, as many as it has slots. While others wait, nobody else
joins; when those are done, it is the turn of the next.

The next one is of the key that was served longest ago, and of that key the adapter that was served longest ago; among
equals who came first goes first.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class _Waiting:
    """A request that waits for its turn."""

    def __init__(self, key: str, adapter: Hashable, number: int) -> None:
        self.key, self.adapter, self.number = key, adapter, number
        self.granted = asyncio.get_running_loop().create_future()


class Turns:
    """The turns of one engine with so many slots."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._running = 0
        self._adapter: Hashable = None
        self._waiting: list[_Waiting] = []
        self._numbers = itertools.count(1)
        self._served: dict[Hashable, int] = {}

    @asynccontextmanager
    async def turn(self, key: str, adapter: Hashable) -> AsyncIterator[None]:
        """Wait for a turn of the client with `key` (or "") in `adapter`, and keep it while inside."""
        one = _Waiting(key, adapter, next(self._numbers))
        self._waiting.append(one)
        self._grant()
        try:
            await one.granted
            yield
        finally:
            if one in self._waiting:
                self._waiting.remove(one)
            elif not one.granted.cancelled():
                self._running -= 1
            self._grant()

    def next_adapters(self) -> list[Hashable]:
        """The adapters that are waited for, each once, in the order in which their turns will come."""
        return list(dict.fromkeys(one.adapter for one in sorted(self._waiting, key=self._order)))

    def _order(self, one: _Waiting) -> tuple[int, int, int]:
        return self._served.get(one.key, 0), self._served.get((one.key, one.adapter), 0), one.number

    def _grant(self) -> None:
        self._waiting = [one for one in self._waiting if not one.granted.cancelled()]
        if not self._waiting:
            if not self._running:
                self._served.clear()  # nobody was kept waiting, so nobody has anything to make up for
            return
        if not self._running:
            self._adapter = min(self._waiting, key=self._order).adapter
        elif any(one.adapter != self._adapter for one in self._waiting):
            return
        while self._running < self._slots:
            fitting = [one for one in self._waiting if one.adapter == self._adapter]
            if not fitting:
                return
            one = min(fitting, key=self._order)
            self._waiting.remove(one)
            self._running += 1
            self._served[one.key] = self._served[one.key, one.adapter] = next(self._numbers)
            one.granted.set_result(None)
