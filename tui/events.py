"""Server-sent events and the OpenAI objects inside them, read without trusting the sender.

The framing is the WHATWG one (https://html.spec.whatwg.org/multipage/server-sent-events.html), reduced to
the `data` field that OpenAI servers use. Lines are cut on bytes: text line iterators also cut at U+2028
and U+0085, which may stand unescaped inside a JSON string.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tui.contract import ReplyEvent, TextPiece, Usage
from tui.errors import EndpointError
from tui.text import clean_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EVENT_LIMIT = 1024 * 1024
"""Largest event in bytes; a longer one is not a chunk of a reply."""


class BadEventError(Exception):
    """The sender sent something else than was agreed; `str()` says what, as an object of “sent”."""


async def read_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield the data of each complete event; what follows the last blank line is dropped.

    Raises BadEventError for an event above EVENT_LIMIT or bytes that are not UTF-8.
    """
    pending = bytearray()
    data: list[bytes] = []
    async for chunk in chunks:
        pending += chunk
        *lines, rest = pending.replace(b"\r\n", b"\n").split(b"\n")
        pending = bytearray(rest)
        for line in lines:
            if line.startswith(b"data:"):
                data.append(bytes(line[5:].removeprefix(b" ")))
            elif not line.strip() and data:
                yield _text(b"\n".join(data))
                data.clear()
        if len(pending) + sum(map(len, data)) > EVENT_LIMIT:
            raise BadEventError("an event of more than 1 MiB")
    # Some servers leave out the blank line after the last event.
    if data and not pending.strip():
        yield _text(b"\n".join(data))
    elif pending.strip() == b"data: [DONE]":
        yield "[DONE]"


def decode(data: str | bytes) -> Any:
    """Return the JSON value in `data`; raises BadEventError when it is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        start = clean_name(data.decode("utf-8", "replace") if isinstance(data, bytes) else data, 40)
        raise BadEventError(f"something that is not JSON (it starts “{start}”)") from error


def events_of(chunk: Any) -> tuple[list[ReplyEvent], bool]:
    """Return the events of one `chat.completion.chunk` and whether it says that the reply is complete.

    Raises EndpointError when the chunk carries an error, BadEventError when it is no object.
    """
    if not isinstance(chunk, dict):
        raise BadEventError("an event that is not an object")
    if chunk.get("error"):
        said = error_text(chunk)
        raise EndpointError(f"the endpoint gave up: {said or 'it did not say why'}")
    events: list[ReplyEvent] = []
    finished = False
    choice = _first(chunk.get("choices"))
    for key in ("delta", "message"):
        part = choice.get(key)
        if isinstance(part, dict) and isinstance(part.get("content"), str) and part["content"]:
            events.append(TextPiece(part["content"]))
    finished = isinstance(choice.get("finish_reason"), str)
    usage = chunk.get("usage")
    if isinstance(usage, dict):
        events.append(Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))))
    return events, finished


def completion_events(body: bytes) -> list[ReplyEvent]:
    """Return the events of a whole `chat.completion`, for servers that do not stream.

    Raises BadEventError when it is none, EndpointError when it is an error.
    """
    payload = decode(body)
    events, _ = events_of(payload)
    if not any(isinstance(event, TextPiece) for event in events) and not _first(payload.get("choices")):
        raise BadEventError("an answer without a reply in it")
    return events


def error_of(body: bytes) -> str:
    """Return the message of an error body, or an empty string when it is not a JSON error."""
    try:
        return error_text(decode(body))
    except BadEventError:
        return ""


def error_text(payload: Any) -> str:
    """Return the message of OpenAI's error envelope, or of the shapes other servers use, in one line."""
    if not isinstance(payload, dict):
        return ""
    error = payload.get("error") or payload.get("detail") or payload.get("message")
    if isinstance(error, dict):
        error = error.get("message")
    return clean_name(error, 240) if isinstance(error, str) else ""


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadEventError("bytes that are not UTF-8") from error


def _first(choices: Any) -> dict[str, Any]:
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    return {}


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**53 else 0
