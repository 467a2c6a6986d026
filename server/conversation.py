"""An OpenAI conversation as turns between speakers.

`role: assistant` is the persona, `role: user` is whoever the message's `name` says or else the persona's
interlocutor, `role: system` (or `developer`) is context. Two messages in a row by one speaker are one turn, a line
each, since that is how the training data writes a burst. A persona that was trained with context turns is given one:
who talks, on which platform, what day and hour it is here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from persona.card import Persona
from persona.context import context_turn
from persona.names import clean_name, neutralise
from persona.template import Turn
from server.envelope import RequestError

CONTEXT_ROLES = ("system", "developer")
SYSTEM = "system"

Clock = Callable[[], datetime]
"""Says what time it is here, by the clock on the wall."""


def turns(
    messages: Any, persona: Persona, known_speakers: Mapping[str, str], clock: Clock = datetime.now
) -> list[Turn]:
    """The turns that `messages`, the request's own list, puts before the reply of `persona`.

    Names and bodies come back neutralised; empty messages are left out. `known_speakers` maps
    `speaker_key(name)` to the name as the training data writes it, so that "john_smith" finds "John Smith". `clock`
    is asked only for a persona with context.

    Raises:
        RequestError: not a list of messages, or nothing in it that has been said.
    """
    if not isinstance(messages, list):
        raise RequestError("`messages` must be a list of messages.", param="messages", code="invalid_type")
    said: list[Turn] = []
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        if not isinstance(message, dict):
            raise RequestError(f"`{where}` must be an object.", param=where, code="invalid_type")
        role = _speaker(message, where, persona, known_speakers)
        body = neutralise(text_of(message.get("content"), f"{where}.content"))
        if not body:
            continue
        if said and said[-1]["role"] == role:
            said[-1]["content"] += f"\n{body}"
        else:
            said.append({"role": role, "content": body})
    if not messages:
        raise RequestError("`messages` is empty: say something first.", param="messages")
    return said if persona.card.context is None else _in_context(said, persona, persona.card.context.platform, clock())


def speaker_key(name: str) -> str:
    """What two spellings of a speaker's name have in common: some clients cannot send spaces or capitals."""
    return clean_name(name).replace("_", " ").casefold()


def _in_context(said: list[Turn], persona: Persona, platform: str, now: datetime) -> list[Turn]:
    """`said` after the turn that the lines of the persona's training set begin with.

    What the client says in a system message of its own stands on the lines below, as in one turn.
    """
    speaking = {turn["role"] for turn in said if turn["role"] != SYSTEM} - {persona.speaker}
    # In training only those who speak in a session are in it; where nobody has yet, the interlocutor will.
    names = {persona.speaker, *(speaking or {persona.interlocutor})}
    context = context_turn(names, platform, now)
    if said and said[0]["role"] == SYSTEM:
        return [Turn(role=SYSTEM, content=f"{context}\n{said[0]['content']}"), *said[1:]]
    return [Turn(role=SYSTEM, content=context), *said]


def _speaker(message: Mapping[str, Any], where: str, persona: Persona, known: Mapping[str, str]) -> str:
    role = message.get("role")
    if role in CONTEXT_ROLES:
        return SYSTEM
    if role == "assistant":
        if message.get("tool_calls") or message.get("function_call"):
            raise RequestError("Personas call no tools.", param=f"{where}.tool_calls")
        return persona.speaker
    if role != "user":
        raise RequestError(
            f"`{where}.role` must be system, user or assistant; say who spoke with `name`.", param=f"{where}.role"
        )
    name = message.get("name")
    if name is None:
        return persona.interlocutor
    if not isinstance(name, str):
        raise RequestError(f"`{where}.name` must be a string.", param=f"{where}.name", code="invalid_type")
    return known.get(speaker_key(name)) or clean_name(name) or persona.interlocutor


def text_of(content: Any, where: str) -> str:
    """The text of a message's content: a string, or OpenAI's list of parts as long as each is text.

    Raises:
        RequestError: it is neither; `where` is what the error calls it.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise RequestError(f"`{where}` must be a string or a list of parts.", param=where, code="invalid_type")
    lines: list[str] = []
    for place, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        text = part.get("text") if isinstance(part, dict) else None
        if kind not in ("text", "input_text", "output_text") or not isinstance(text, str):
            at = f"{where}[{place}]"
            raise RequestError(
                f"Personas read text; `{at}` is {kind if isinstance(kind, str) else 'not a part'}.", param=at
            )
        lines.append(text)
    return "\n".join(lines)
