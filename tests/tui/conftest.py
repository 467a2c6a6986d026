"""What the client's tests share: a real endpoint to talk to, a private history, an open messenger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from tests.tui.fake_endpoint import FakeEndpoint
from tui.app import GreenroomApp
from tui.chat import Chat
from tui.history import History
from tui.settings import Settings
from tui.widgets.turn import Turn


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the history and the settings of whoever runs it."""
    monkeypatch.setenv("GREENROOM_HISTORY", str(tmp_path / "private" / "history.db"))
    for name in ("GREENROOM_URL", "GREENROOM_API_KEY", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fake() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
def history_file(tmp_path: Path) -> Path:
    return tmp_path / "private" / "history.db"


class Driver:
    """An open messenger, and what a person can see and do in it."""

    def __init__(self, app: GreenroomApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot
        self.messenger = app.messenger

    @property
    def chat(self) -> Chat:
        assert self.messenger.chat is not None
        return self.messenger.chat

    async def until(self, met: Callable[[], Any], what: str = "") -> None:
        """Go on as soon as `met` holds; fail if it never does."""
        for _ in range(2000):
            if met():
                await self.pilot.pause()
                return
            await self.pilot.pause(0.005)
        raise AssertionError(f"never happened: {what or met}; on screen: {self.seen()}")

    async def connected(self) -> None:
        await self.until(
            lambda: self.messenger.chats and not self.messenger.composer.disabled and self.messenger.view,
            "the personas came",
        )

    async def type(self, text: str) -> None:
        """Press a key for each character; a line end is Ctrl+J."""
        names = {"\n": "ctrl+j", " ": "space"}
        await self.pilot.press(*[names.get(character, character) for character in text])

    async def say(self, text: str, *, wait: bool = True) -> None:
        """Write and send, and wait for the reply to end."""
        self.messenger.composer.put(text)
        await self.pilot.press("enter")
        if wait:
            await self.until(lambda: self.chat.reply is None, "the reply ended")
            await self.drawn()

    async def drawn(self) -> None:
        """Wait until the conversation shows what the chat holds."""
        await self.until(
            lambda: (
                [turn.message for turn in self.turns()] == self.chat.messages
                and all(turn.region.height for turn in self.turns() if turn.is_on_screen)
            ),
            "the conversation was drawn",
        )
        await self.pilot.pause(0.06)

    def turns(self) -> list[Turn]:
        view = self.messenger.view
        return [turn for turn in view.query(Turn) if not turn._pruning] if view else []

    def said(self) -> list[tuple[str, str]]:
        """Every bubble of the open conversation: `mine` or `theirs`, and its text."""
        return [("mine" if turn.has_class("-mine") else "theirs", line) for turn in self.turns() for line in turn.lines]

    def seen(self) -> str:
        """Everything on the screen, row by row, without colours."""
        rows = self.app.screen._compositor.render_strips(self.app.size)
        return "\n".join(strip.text for strip in rows)

    def notice(self) -> str:
        """The notice below the conversation, or an empty string."""
        view = self.messenger.view
        widget = view.query_one(".notice", Static) if view else None
        return str(widget.render()) if widget and widget.display else ""


class OpenMessenger(Protocol):
    """Opens a messenger on the fake endpoint; see `messenger`."""

    def __call__(
        self,
        *,
        wanted: str | None = None,
        url: str = "",
        as_name: str = "",
        size: tuple[int, int] = (100, 32),
        now: Callable[[], float] | None = None,
        connect: bool = True,
    ) -> AbstractAsyncContextManager[Driver]: ...


@pytest.fixture
def messenger(fake: FakeEndpoint, history_file: Path) -> OpenMessenger:
    @asynccontextmanager
    async def open_it(
        *,
        wanted: str | None = None,
        url: str = "",
        as_name: str = "",
        size: tuple[int, int] = (100, 32),
        now: Callable[[], float] | None = None,
        connect: bool = True,
    ) -> AsyncIterator[Driver]:
        history = History(history_file, now=now) if now else History(history_file)
        settings = Settings(url or fake.url, None, as_name, history_file)
        app = GreenroomApp(settings, history, wanted, now=now) if now else GreenroomApp(settings, history, wanted)
        async with app.run_test(size=size, notifications=True) as pilot:
            driver = Driver(app, pilot)
            if connect:
                await driver.connected()
            yield driver
            app.messenger.settle()
        history.close()

    return open_it
