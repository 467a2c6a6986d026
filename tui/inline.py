"""One message and its reply, or a talk between personas, on standard output and without a screen.

    greenroom chat milo "hey"
    greenroom chat --room milo,bea --turns 6 "who has my bike?"

Nothing is read from or written to the chat history, so a script can ask without leaving a trace. Textual is
never loaded here.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tui.contract import TextPiece, Usage, Utterance
from tui.endpoint import Endpoint
from tui.errors import ClientError, EndpointError
from tui.room import LOOP, Room, gather, names_in, speaker_of, user_of
from tui.text import clean, clean_name, hue, pick_persona, unknown_persona

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
        body = {"persona": self.persona, "reply": self.reply, "usage": _counts(self.usage)}
        return json.dumps(body, ensure_ascii=False)


def _counts(usage: Usage | None) -> dict[str, int] | None:
    """Return OpenAI's usage object."""
    if usage is None:
        return None
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


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


def run_room(settings: Settings, listed: str, opening: str | None, replies: int, *, as_json: bool = False) -> None:
    """Let the personas of the comma-separated list `listed` talk, and print each turn as it comes.

    The talk ends after `replies` replies, or earlier with a note on standard error. With `as_json` one object
    is printed at its end instead, also when it ends early. Raises ClientError for a list that makes no room,
    an empty opening line, a bad endpoint (what had come is printed before it), and when nobody said a word.
    """
    names = names_in(listed)
    if opening is not None and not clean(opening).strip():
        raise ClientError("the opening line is empty", hint="leave it out, and the second greets the first")
    talk = _Talk(replies, as_json)
    try:
        asyncio.run(talk.run(settings, names, opening))
    except KeyboardInterrupt:
        talk.ended = "stopped"
        raise
    finally:
        talk.close()


_COLOURS = (31, 91, 33, 92, 32, 36, 96, 94, 34, 35, 95, 93)
"""The persona colours of `tui.text.hue` in the terminal's own palette, which fits its ground, light or dark."""


class _Talk:
    """A room that is printed while it goes on."""

    def __init__(self, replies: int, as_json: bool) -> None:
        self.replies = replies
        self.ended = "failed"
        self.notes: list[str] = []
        self.room: Room | None = None
        self._as_json = as_json
        self._coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._line: _Printer | None = None

    async def run(self, settings: Settings, names: list[str], opening: str | None) -> None:
        async with Endpoint(settings.url, settings.api_key) as endpoint:
            members = gather(await endpoint.personas(), names)
            room = self.room = Room(members, user_of(members, settings.as_name))
            first = room.open(opening)
            self._show(first.speaker, first.persona, first.text)
            self._end_line()
            self.ended = await self._go_on(room, endpoint)
        if len(room.turns) == 1:
            raise EndpointError("every persona in the room sent an empty reply", hint="try again")

    async def _go_on(self, room: Room, endpoint: Endpoint) -> str:
        """Ask one after another, and return why there is no more."""
        said = 0
        while said < self.replies:
            persona = room.next()
            if persona is None:
                self._note("nobody in the room has an answer, so the talk ends here")
                return "silence"
            if not await self._reply(room, persona, endpoint):
                room.pass_over(persona)
                self._note(f"{persona.name} sent an empty reply and is passed over")
                continue
            said += 1
            if room.stuck:
                self._note(f"{persona.name} said the same {LOOP} times in a row, so the talk ends here")
                return "loop"
        return "turns"

    async def _reply(self, room: Room, persona: Persona, endpoint: Endpoint) -> bool:
        """Fetch one turn and put it down, also when it breaks off; returns whether anything was said."""
        raw = ""
        usage: Usage | None = None
        state: Literal["whole", "stopped", "failed"] = "failed"
        try:
            async with aclosing(endpoint.reply(persona.id, room.messages(persona))) as events:
                async for event in events:
                    if isinstance(event, TextPiece):
                        raw += event.text
                        self._show(speaker_of(persona), persona.id, clean(raw).lstrip().rstrip("\n"))
                    else:
                        usage = event
            state = "whole"
        except asyncio.CancelledError:
            state = "stopped"
            raise
        finally:
            text = clean(raw).strip()
            if text:
                room.add(persona, text, usage).state = state
                self._end_line()
        return bool(text)

    def _show(self, speaker: str, persona: str, text: str) -> None:
        """Print what is new of a growing turn, its name before the first of it."""
        if self._as_json or not text:
            return
        if self._line is None:
            self._line = _Printer(sys.stdout.write)
            name = clean_name(speaker) or "You"
            if self._coloured:
                colour = f"1;{_COLOURS[hue(persona)]}" if persona else "1"
                name = f"\x1b[{colour}m{name}\x1b[0m"
            sys.stdout.write(f"{name}: ")
        # Further lines stand under the first, so that none can be taken for the next speaker's.
        self._line.grow(re.sub(r"\n+", "\n  ", text))

    def _end_line(self) -> None:
        if self._line is not None:
            self._line = None
            sys.stdout.write("\n")
            sys.stdout.flush()

    def _note(self, text: str) -> None:
        self.notes.append(text)
        if not self._as_json:
            sys.stderr.write(f"({text})\n")
            sys.stderr.flush()

    def close(self) -> None:
        """Print the object of a talk that began."""
        if not (self._as_json and self.room):
            return
        turns = [
            {
                "persona": turn.persona or None,
                "speaker": turn.speaker or "You",
                "text": turn.text,
                "state": turn.state,
                "usage": _counts(turn.usage),
            }
            for turn in self.room.turns
        ]
        members = [persona.id for persona in self.room.members]
        body = {"room": members, "turns": turns, "ended": self.ended, "notes": self.notes}
        sys.stdout.write(json.dumps(body, ensure_ascii=False) + "\n")
        sys.stdout.flush()
