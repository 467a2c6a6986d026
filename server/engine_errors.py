"""vLLM's errors in OpenAI's words, as the endpoint's other errors are: vLLM has types and codes of its own."""

from __future__ import annotations

import re

import msgspec
from starlette.types import Message, Send

from server.envelope import RequestError

_NAMED = re.compile(r"`?([a-z_]+)`? (?:must|should|cannot|is not)\b")
_MAX_CHARS = 400


class InOneVoice:
    """Takes the place of `send`: an answer passes as it is, an error with its envelope made right."""

    def __init__(self, send: Send) -> None:
        """`send` is what gets the messages."""
        self._onward = send
        self._error: int | None = None
        self._received = b""

    async def send(self, message: Message) -> None:
        """Pass on a message of the engine's answer."""
        if message["type"] == "http.response.start" and message["status"] >= 400:
            self._error = message["status"]
            return
        if self._error is None:
            await self._onward(message)
            return
        self._received += message.get("body", b"")
        if not message.get("more_body"):
            body = in_one_voice(self._error, self._received).body()
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
            await self._onward({"type": "http.response.start", "status": self._error, "headers": headers})
            await self._onward({"type": "http.response.body", "body": body})


def in_one_voice(status: int, body: bytes) -> RequestError:
    """The error that vLLM's `body` is."""
    try:
        error = msgspec.json.decode(body)["error"]
        message, param = str(error["message"]), error.get("param")
    except (msgspec.DecodeError, KeyError, TypeError):
        return RequestError("The engine failed; the endpoint's log says more.", status=status)
    if status >= 500:
        return RequestError("The engine failed; the endpoint's log says more.", status=status)
    named = _NAMED.match(message)
    if not isinstance(param, str):
        param = named[1] if named is not None else None
    return RequestError(message[:_MAX_CHARS], param=param, code="invalid_value", status=status)
