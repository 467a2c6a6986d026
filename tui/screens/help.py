"""The help screen: every key, in one place."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

KEYS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Writing",
        (
            ("Enter", "send"),
            ("Shift+Enter, Ctrl+J", "new line"),
            ("Up, Down", "earlier messages, when nothing is written"),
        ),
    ),
    (
        "Replies",
        (
            ("Esc", "stop the reply and keep what came"),
            ("Ctrl+R", "another reply in place of the last"),
            ("Ctrl+Y", "copy the last reply"),
            ("Ctrl+C", "copy what is selected with the mouse"),
        ),
    ),
    (
        "Chats",
        (
            ("Tab", "between the list and the composer"),
            ("Up, Down, Enter", "choose in the list"),
            ("Alt+Up, Alt+Down", "previous and next chat"),
            ("Ctrl+N", "begin a new conversation"),
            ("Ctrl+B", "show or hide the list"),
            ("PageUp, PageDown", "scroll the conversation"),
            ("F5", "ask the endpoint for its personas again"),
        ),
    ),
    (
        "Greenroom",
        (
            ("Ctrl+P", "all commands; themes are there too"),
            ("F1, ? in the list", "this help"),
            ("Ctrl+Q", "quit"),
        ),
    ),
)

_KEY_WIDTH = 22


class HelpScreen(ModalScreen[None]):
    """The keys, over the messenger."""

    BINDINGS = [  # noqa: RUF012 - Textual declares it so
        Binding("escape,f1,question_mark,q,enter", "dismiss", "Close"),
    ]

    def compose(self) -> ComposeResult:
        """Lay out the table."""
        with Vertical(id="help"):
            with VerticalScroll():
                yield Static(self._table(), markup=False)
            yield Static(Content.styled("Esc closes this", "dim"), id="help-foot", markup=False)

    def _table(self) -> Content:
        parts: list[Content] = []
        for heading, rows in KEYS:
            parts.append(Content.styled(heading, "bold $primary"))
            parts.extend(Content.assemble((key.ljust(_KEY_WIDTH), "bold"), (what, "$foreground")) for key, what in rows)
            parts.append(Content(""))
        return Content("\n").join(parts[:-1])
