"""Whose turn it is: adapters one after the other, keys alike, nobody for ever."""

from __future__ import annotations

import asyncio

import pytest

from server.engines.turns import Turns


class Clients:
    """Requests that end when they are told to; `log` is the order in which they got their turns."""

    def __init__(self, slots: int) -> None:
        self.turns = Turns(slots)
        self.log: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str) -> None:
        """Requests called KEY/ADAPTER/anything."""
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._run(name))
        await self.settled()

    async def end(self, *names: str) -> None:
        for name in names:
            self.ends[name].set()
        await self.settled()

    async def settled(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def _run(self, name: str) -> None:
        key, adapter, _ = name.split("/")
        async with self.turns.turn(key, adapter):
            self.log.append(name)
            await self.ends[name].wait()


async def test_requests_in_one_adapter_run_together_up_to_the_slots() -> None:
    clients = Clients(slots=2)
    await clients.come("/milo/1", "/milo/2", "/milo/3")
    assert clients.log == ["/milo/1", "/milo/2"]
    await clients.end("/milo/2")
    assert clients.log[2:] == ["/milo/3"]


async def test_two_adapters_never_run_together_and_nobody_joins_while_others_wait() -> None:
    clients = Clients(slots=2)
    await clients.come("/milo/1", "/lev/1", "/milo/2")
    assert clients.log == ["/milo/1"]
    await clients.end("/milo/1")
    assert clients.log[1:] == ["/lev/1"]
    await clients.end("/lev/1")
    assert clients.log[2:] == ["/milo/2"]


async def test_an_adapter_that_is_asked_again_and_again_does_not_keep_others_waiting() -> None:
    clients = Clients(slots=1)
    await clients.come("/milo/1", "/milo/2", "/milo/3", "/lev/1", "/pip/1")
    for name in ("/milo/1", "/lev/1", "/pip/1"):
        await clients.end(name)
    assert clients.log == ["/milo/1", "/lev/1", "/pip/1", "/milo/2"]


async def test_a_key_with_many_requests_has_no_more_turns_than_one_with_few() -> None:
    clients = Clients(slots=1)
    await clients.come("much/milo/1", "much/lev/1", "much/pip/1", "much/juno/1", "little/milo/1", "little/lev/1")
    for _ in range(5):
        await clients.end(clients.log[-1])
    assert [name.partition("/")[0] for name in clients.log] == ["much", "little", "much", "little", "much", "much"]


@pytest.mark.parametrize("when", ["waiting", "granted", "running"])
async def test_a_client_that_leaves_gives_its_turn_back(when: str) -> None:
    clients = Clients(slots=1)
    await clients.come("/milo/1", "/lev/1", "/pip/1")
    if when == "running":
        await clients.end("/milo/1")
    if when == "granted":  # the turn is given and the task does not know yet
        clients.ends["/milo/1"].set()
        while clients.turns._running and clients.turns._adapter != "lev":
            await asyncio.sleep(0)
    clients.tasks["/lev/1"].cancel()
    await clients.settled()
    await clients.end("/milo/1")
    assert clients.log[-1] == "/pip/1"
    await clients.end("/pip/1")
    await clients.come("/juno/1")
    assert clients.log[-1] == "/juno/1"
