"""Finds the names of people who must not appear."""

from collections.abc import Callable, Sequence

import msgspec

from train.redaction.key import RedactionKey
from train.redaction.spans import Found, Span


class KnownPerson(msgspec.Struct):
    """Somebody of the message store, and what they are called."""

    person: int
    names: tuple[str, ...]
    """The speaker name, the display names of their accounts, usernames."""
    excluded: bool = False
    """Whether a name they share with somebody shown must go too."""


class Names:
    """The names to look for."""

    def __init__(
        self,
        key: RedactionKey,
        hidden: Sequence[KnownPerson],
        shown: Sequence[KnownPerson],
        forgotten: Callable[[str], bool] | None,
    ) -> None:
        self.key = key

    def may_be_in(self, text: str, words: list[str]) -> bool:
        """Return whether a text can hold a name."""
        return False

    def find(self, text: str, found: Found) -> None:
        """Find names."""

    def stand_in(self, span: Span) -> str:
        """Return the stand-in of a name."""
        return span.value
