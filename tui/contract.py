"""What goes over the wire, as types: personas, the turns sent, the events of a reply.

Kept apart from `tui.endpoint` so that a screen can be painted before an HTTP library is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from tui.text import clean, clean_name

DEFAULT_URL = "http://127.0.0.1:8844/v1"


@dataclass(frozen=True)
class Persona:
    """One entry of `GET /models`; the fields after `id` are empty on a plain OpenAI server."""

    id: str
    speaker: str = ""
    about: str = ""
    base: str = ""
    interlocutor: str = ""
    owner: str = ""

    @property
    def name(self) -> str:
        """The name to show: the speaker, else the id."""
        return self.speaker or clean_name(self.id)

    @classmethod
    def from_model(cls, entry: Any) -> Persona | None:
        """Read one model object (OpenAI's, with our `greenroom` key); None when it has no usable id."""
        identifier = entry.get("id") if isinstance(entry, dict) else None
        # An id with control characters or half a UTF-16 pair could not be sent back or printed.
        if not isinstance(identifier, str) or not identifier.strip() or clean(identifier) != identifier:
            return None
        card = entry.get("greenroom")
        card = card if isinstance(card, dict) else {}

        def line(key: str, limit: int = 60) -> str:
            value = card.get(key)
            return clean_name(value, limit) if isinstance(value, str) else ""

        return cls(identifier, line("speaker"), line("about", 200), line("base"), line("interlocutor"), line("owner"))


@dataclass(frozen=True)
class Utterance:
    """One message of a request: `role` is `user` or `assistant`, `name` who spoke (may be empty)."""

    role: str
    content: str
    name: str = ""

    def as_openai(self) -> dict[str, str]:
        """Return the message object of `POST /chat/completions`."""
        body = {"role": self.role, "content": self.content}
        if self.name:
            body["name"] = self.name
        return body


@dataclass(frozen=True)
class TextPiece:
    """The next piece of the reply's text, as it came."""

    text: str


@dataclass(frozen=True)
class Usage:
    """Token counts of the request, as the endpoint counted them."""

    prompt_tokens: int
    completion_tokens: int


ReplyEvent: TypeAlias = TextPiece | Usage
