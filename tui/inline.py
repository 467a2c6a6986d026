"""One message, one reply, on standard output: `greenroom chat milo "hey"`, without a screen.

Nothing is read from or written to the chat history, so a script can ask without leaving a trace. Textual is
never loaded here.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tui.contract import TextPiece, Usage, Utterance
from tui.endpoint import Endpoint
from tui.errors import ClientError, EndpointError
from tui.text import clean, pick_persona, unknown_persona

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.contract import Persona
    from tui.settings import Settings


@dataclass
class Answer:
    """A whole reply: the persona's id, its text, and the token counts if the endpoint gave them."""

    persona: str
    reply: str
    usage: Usage | None

    def as_json(self) -> str:
        """Return the answer as one line of JSON with the keys persona, reply and usage (or null)."""
        usage: dict[str, Any] | None = None
        if self.usage:
            usage = {
                "prompt_tokens": self.usage.prompt_tokens,
                "completion_tokens": self.usage.completion_tokens,
                "total_tokens": self.usage.prompt_tokens + self.usage.completion_tokens,
            }
        return json.dumps({"persona": self.persona, "reply": self.reply, "usage": usage}, ensure_ascii=False)


def run(settings: Settings, wanted: str, message: str, *, as_json: bool = False) -> None:
    """Ask the persona `wanted` and print its reply as it comes, or one JSON object at its end.

    Raises ClientError when there is no such persona, no message or no endpoint. When a reply breaks off,
    what had come is on standard output and the error is raised after it.
    """
    text = clean(message).strip()
    if not text:
        raise ClientError("there is nothing to send: the message is empty", hint="write one after the persona")
    printed = _Printer(sys.stdout.write)
    try:
        answer = asyncio.run(_ask(settings, wanted, text, None if as_json else printed.grow))
    finally:
        if printed.text:
            sys.stdout.write("\n")
            sys.stdout.flush()
    if as_json:
        sys.stdout.write(answer.as_json() + "\n")
        sys.stdout.flush()


class _Printer:
    """Prints a growing text, each time what is new of it."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self.text = ""
        self._write = write

    def grow(self, text: str) -> None:
        self._write(text[len(self.text) :])
        sys.stdout.flush()
        self.text = text


async def _ask(settings: Settings, wanted: str, text: str, grow: Callable[[str], None] | None) -> Answer:
    async with Endpoint(settings.url, settings.api_key) as endpoint:
        persona = await _find(endpoint, wanted)
        raw = ""
        usage: Usage | None = None
        message = Utterance("user", text, settings.as_name or persona.interlocutor)
        async for event in endpoint.reply(persona.id, [message]):
            if isinstance(event, TextPiece):
                raw += event.text
                if grow:
                    # Line ends at the end wait for what follows, so that none is left over.
                    grow(clean(raw).lstrip("\n").rstrip("\n"))
            else:
                usage = event
    reply = clean(raw).strip("\n")
    if not reply:
        raise EndpointError(f"{persona.name} sent an empty reply", hint="try again")
    return Answer(persona.id, reply, usage)


async def _find(endpoint: Endpoint, wanted: str) -> Persona:
    personas = await endpoint.personas()
    persona = pick_persona(personas, wanted)
    if persona is None:
        message, hint = unknown_persona(personas, wanted)
        raise ClientError(message, hint=hint)
    return persona
