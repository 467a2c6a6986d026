"""What one person said at one time: the bubbles of one message, as one widget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from tui.text import bubbles, clean
from tui.when import clock
from tui.widgets.avatar import persona_style
from tui.widgets.bubble import MINE, THEIRS, Row, draw_bubble

if TYPE_CHECKING:
    from textual.geometry import Size
    from textual.selection import Selection

    from tui.contract import Persona
    from tui.history import Message

_ENDINGS = {"stopped": "stopped", "failed": "cut off"}


class Turn(Widget):
    """The bubbles of a message, under a day line where a day begins."""

    def __init__(self, message: Message, persona: Persona) -> None:
        """Hold `message`; `place` says where it stands."""
        super().__init__(classes="turn -mine" if message.role == "user" else "turn -theirs")
        self.message = message
        self._persona = persona
        self._day = ""
        self._named = False
        self._width = 0
        self._key: tuple[object, ...] = ()
        self._rows: list[Row] = []
        self._drawn: dict[tuple[object, ...], list[Row]] = {}

    @property
    def lines(self) -> list[str]:
        """The text of each bubble."""
        if self.message.role == "user":
            return [clean(self.message.text)]  # what the user wrote stays in one piece
        return bubbles(self.message.text) or [""]

    def place(self, *, day: str, first: bool, fading: bool) -> None:
        """Set the day line above (empty for none), whether the speaker begins here, and the fading.

        A fading turn is one that a new reply is about to replace. Draws again what has changed.
        """
        self._day = day
        self._named = first and self.message.role == "assistant"
        self.set_class(not first and not day, "-follows")
        self.set_class(fading, "-fading")
        # The width it was last drawn for: a turn that is scrolled out of sight has none of its own.
        width = self._width
        if width and self._wanted(width) != self._key:
            height = len(self._rows)
            self.refresh(layout=len(self.rows(width)) != height)

    def render(self) -> Content:
        """Return the rows as one text."""
        return Content("\n").join([row.content for row in self.rows(self.content_size.width)])

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Take the whole width, since one side of it is where the bubbles lean."""
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many rows the bubbles need at `width`."""
        return len(self.rows(width))

    def rows(self, width: int) -> list[Row]:
        """Return the rows at `width` cells, drawn anew only when something is different."""
        self._width = width
        key = self._wanted(width)
        if key != self._key:
            self._key = key
            self._rows = self._draw(width)
        return self._rows

    def _wanted(self, width: int) -> tuple[object, ...]:
        message = self.message
        return width, message.text, message.state, message.sent_at, self._day, self._named

    def _draw(self, width: int) -> list[Row]:
        rows: list[Row] = []
        if self._day:
            day = Content.styled(self._day, "dim").truncate(width)
            rows.append(Row(day.pad_left((width - day.cell_length) // 2)))
        look = MINE if self.message.role == "user" else THEIRS
        name = Content.styled(self.message.name or self._persona.name, f"bold {persona_style(self._persona)}")
        lines = self.lines
        drawn: dict[tuple[object, ...], list[Row]] = {}
        for number, line in enumerate(lines):
            heading = name if self._named and number == 0 else Content("")
            foot = self._foot() if number == len(lines) - 1 else ""
            # A reply grows at its end: the bubbles above stay as they were drawn.
            key = (line, heading.plain, foot, width)
            drawn[key] = self._drawn.get(key) or draw_bubble(look, line, heading, foot, width)
            rows += drawn[key]
        self._drawn = drawn
        return rows

    def _foot(self) -> str:
        if self.message.state == "streaming":
            return ""
        ending = _ENDINGS.get(self.message.state)
        return f"{ending} · {clock(self.message.sent_at)}" if ending else clock(self.message.sent_at)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return what is selected of the message itself, without edges, names and times."""
        found = ""
        for number, row in enumerate(self._rows):
            span = selection.get_span(number)
            if span is None or not row.text:
                continue
            start, end = span
            stop = len(row.text) if end == -1 else max(0, end - row.at)
            part = row.text[max(0, start - row.at) : stop]
            if part:
                found += (row.before if found else "") + part
        return (found, "\n") if found else None
