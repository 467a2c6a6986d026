"""What is shown when there is no endpoint, or one without personas."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from tui.errors import ClientError

RETRY_SECONDS = 2.0


class OfflineScreen(Screen[None]):
    """Says what was tried, what came of it and how to start an endpoint; tries again by itself."""

    BINDINGS = [  # noqa: RUF012 - Textual declares it so
        Binding("r", "app.reconnect", "Retry"),
        Binding("ctrl+q", "app.quit", "Quit"),
    ]

    def __init__(self, url: str) -> None:
        """Speak of the endpoint at `url`."""
        super().__init__()
        self._url = url
        self._text = Static("", markup=False, id="offline-text")
        self._reason = Content("")

    def compose(self) -> ComposeResult:
        """Put the text in the middle."""
        with Vertical(id="offline"):
            yield self._text

    def explain(self, error: ClientError) -> None:
        """Show why the last try failed."""
        # How to start one stands below anyway.
        hint = f"\n{error.hint}" if error.hint and "greenroom serve" not in error.hint else ""
        self._reason = Content.assemble((str(error), "bold"), (hint, "dim"))
        self._draw()

    def on_mount(self) -> None:
        """Draw what is known so far."""
        self._draw()

    def _draw(self) -> None:
        self._text.update(
            Content.assemble(
                ("Nobody to talk to yet\n\n", "bold $primary"),
                ("Tried  ", "dim"),
                f"{self._url}/models\n\n",
                self._reason,
                "\n\nStart an endpoint in another terminal:\n\n",
                ("    greenroom serve", "bold $accent"),
                ("    or    ", "dim"),
                ("make serve\n\n", "bold $accent"),
                ("Another address: greenroom chat --url URL, or GREENROOM_URL\n\n", "dim"),
                ("R", "bold $primary"),
                (" try now (tried again every 2 seconds)    ", "dim"),
                ("Ctrl+Q", "bold $primary"),
                (" quit", "dim"),
            )
        )
