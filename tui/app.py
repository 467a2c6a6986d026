"""The full-screen messenger.

    run(read_settings(), wanted="milo")

The screen is painted first; the HTTP library is loaded and the endpoint asked behind it.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from typing import TYPE_CHECKING

from textual.app import App
from textual.binding import Binding

from tui.errors import ClientError, EndpointError, HistoryError
from tui.history import History
from tui.screens.messenger import MessengerScreen
from tui.screens.offline import RETRY_SECONDS, OfflineScreen
from tui.text import pick_persona, unknown_persona
from tui.theme import THEMES, variables_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.contract import Persona
    from tui.endpoint import Endpoint
    from tui.settings import Settings


class GreenroomApp(App[None]):
    """Connects the messenger to an endpoint, and keeps trying while there is none."""

    TITLE = "greenroom"
    CSS_PATH = "greenroom.tcss"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS = [  # noqa: RUF012 - Textual declares it so
        Binding("ctrl+q", "quit", "Quit", priority=True),
    ]

    def __init__(
        self,
        settings: Settings,
        history: History,
        wanted: str | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Prepare the app; `wanted` is the persona to open, `now` tells the time in Unix seconds."""
        super().__init__()
        self.settings = settings
        self.history = history
        self.failure: ClientError | None = None
        self.messenger = MessengerScreen(history, settings.as_name, now)
        self._wanted = wanted
        self._endpoint: Endpoint | None = None
        self._offline: OfflineScreen | None = None
        self._retry_now = asyncio.Event()
        for theme in THEMES:
            self.register_theme(theme)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Give our variables to themes that do not know them."""
        return variables_for(self.current_theme.dark)

    async def on_mount(self) -> None:
        """Paint the messenger, then go looking for the endpoint."""
        self.theme = self._stored_theme()
        self.theme_changed_signal.subscribe(self, lambda theme: self._keep_theme(theme.name))
        await self.push_screen(self.messenger)
        self.call_after_refresh(self.action_reconnect)

    def _stored_theme(self) -> str:
        try:
            stored = self.history.preference("theme")
        except HistoryError:
            stored = None
        return stored if stored in self.available_themes else THEMES[0].name

    def _keep_theme(self, name: str) -> None:
        try:
            self.history.set_preference("theme", name)
        except HistoryError as error:
            self.notify(str(error), severity="error", markup=False)

    # ---- the endpoint

    def action_reconnect(self) -> None:
        """Ask the endpoint for its personas now."""
        if any(worker.group == "connect" and not worker.is_finished for worker in self.workers):
            self._retry_now.set()
        else:
            self.run_worker(self._connect(), group="connect")

    async def _connect(self) -> None:
        """Try until there are personas, then show them."""
        while True:
            self._retry_now.clear()
            try:
                personas = await self._ask()
                break
            except EndpointError as error:
                if self.messenger.chats:  # there is a screen worth keeping
                    hint = f"\n{error.hint}" if error.hint else ""
                    self.notify(f"{error}{hint}", severity="warning", markup=False)
                    return
                await self._show_offline(error)
            try:
                await asyncio.wait_for(self._retry_now.wait(), RETRY_SECONDS)
            except TimeoutError:
                continue
        await self._show(personas)

    async def _ask(self) -> list[Persona]:
        if self._endpoint is None:
            # Loading httpx takes as long as painting the first screen, so it happens meanwhile.
            module = await asyncio.to_thread(importlib.import_module, "tui.endpoint")
            self._endpoint = module.Endpoint(self.settings.url, self.settings.api_key)
            self.messenger.endpoint = self._endpoint
        personas = await self._endpoint.personas()
        if not personas:
            raise EndpointError(
                "the endpoint answers, but has no personas", hint="“greenroom personas” lists and adds them"
            )
        return personas

    async def _show(self, personas: list[Persona]) -> None:
        persona = None
        if self._wanted is not None:
            persona = pick_persona(personas, self._wanted)
            if persona is None:
                message, hint = unknown_persona(personas, self._wanted)
                self.failure = ClientError(message, hint=hint)
                self.exit(return_code=2)
                return
            self._wanted = None
        await self._hide_offline()
        await self.messenger.show_personas(personas, persona)

    async def _show_offline(self, error: ClientError) -> None:
        if self._offline is None:
            self._offline = OfflineScreen(self.settings.url)
            await self.push_screen(self._offline)
        self._offline.explain(error)

    async def _hide_offline(self) -> None:
        offline, self._offline = self._offline, None
        if offline is None:
            return
        while offline in self.screen_stack:  # the palette or the help may lie on top of it
            await self.pop_screen()

    # ---- the end

    async def action_quit(self) -> None:
        """Keep what every reply has brought so far, then leave."""
        self.messenger.settle()
        self.exit()

    async def on_unmount(self) -> None:
        """Close the connections."""
        if self._endpoint is not None:
            await self._endpoint.close()


def run(settings: Settings, wanted: str | None = None) -> None:
    """Open the messenger and return when the user leaves; raises ClientError for what they can mend."""
    history = History(settings.history)
    try:
        app = GreenroomApp(settings, history, wanted)
        app.run()
    finally:
        history.close()
    if app.failure is not None:
        raise app.failure
    if app.return_code:
        raise SystemExit(app.return_code)
