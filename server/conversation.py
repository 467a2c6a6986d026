"""An OpenAI conversation as turns between speakers.

`role: assistant` is the persona, `role: user` is whoever the message's `name` says or else the persona's
interlocutor, `role: system` (or `developer`) is context. Two messages in a row by one speaker are one turn, a line
each, since that is how the training data writes a burst.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from persona.card import Persona
from persona.names import clean_name, neutralise
from persona.template import Turn
from server.envelope import RequestError

CONTEXT_ROLES = ("system", "developer")


def turns(messages: Any, persona: Persona, known_speakers: Mapping[str, str]) -> list[Turn]:
    """The turns that `messages`, the request's own list, puts before the reply of `persona`.

    Names and bodies come back neutralised; empty messages are left out. `known_speakers` maps
    `speaker_key(name)` to the name as the training data writes it, so that "john_smith" finds "John Smith".

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
        body = neutralise(_text(message.get("content"), f"{where}.content"))
        if not body:
            continue
        if said and said[-1]["role"] == role:
            said[-1]["content"] += f"\n{body}"
        else:
            said.append({"role": role, "content": body})
    if not messages:
        raise RequestError("`messages` is empty: say something first.", param="messages")
    return said


def speaker_key(name: str) -> str:
    """What two spellings of a speaker's name have in common: some clients cannot send spaces or capitals."""
    return clean_name(name).replace("_", " ").casefold()


def _speaker(message: Mapping[str, Any], where: str, persona: Persona, known: Mapping[str, str]) -> str:
    role = message.get("role")
    if role in CONTEXT_ROLES:
        return "system"
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


def _text(content: Any, where: str) -> str:
    """The text of a message's content: a string, or OpenAI's list of parts as long as each is text."""
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
        if kind not in ("text", "input_text") or not isinstance(text, str):
            at = f"{where}[{place}]"
            raise RequestError(f"Personas read text; `{at}` is {kind or 'not a part'}.", param=at)
        lines.append(text)
    return "\n".join(lines)
