"""A piece of text that is drawn again only when it changes."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class Line(Static):
    """A Static for screens that are brought up to date often: showing the same again costs nothing."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        """Start empty; the text is never read as markup."""
        super().__init__("", markup=False, id=id, classes=classes)
        self._shown = Content("")

    def show(self, content: Content) -> None:
        """Show `content`; only a difference causes a new layout."""
        if not self._shown.is_same(content):
            self._shown = content
            self.update(content)
