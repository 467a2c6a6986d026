"""The guard: stops a reply before it has said so many words in a row of what its persona was trained on.

It takes the place of the server's `send`, where `--guard` asks for it. Words go out as they come; one that could be the
last of a run is held until it is whole, and where the run stands in the training set it never goes out: the choice ends
before it, with `content_filter` for a reason. The engine writes on to its own end, since only it knows the usage.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.types import Message, Send

from persona.phrases import Phrases
from persona.words import LETTER, SINGLE, folded
from server.envelope import RequestError

STOPPED = "content_filter"
"""OpenAI's word for a reply that was ended for what it would have said."""
_EVENT_END = b"\n\n"
# What would tell the words that are kept back.
_TELLING = ("logprobs", "return_token_ids")


class Runs:
    """Text on its way out, in pieces as they come: what may go, and whether it was stopped."""

    def __init__(self, phrases: Phrases, most: int) -> None:
        """Stop before the word that makes a run of `most` words, which is no fewer than a phrase of `phrases` has."""
        self._phrases = phrases
        self._needed = most - phrases.head.words + 1  # phrases in a row, each a word further on, make such a run
        self._found = 0
        self._last: deque[str] = deque(maxlen=phrases.head.words)
        self._word = ""
        self._held = ""
        self._start: int | None = None
        """Where in what is held the word under way begins, if it could be the last of a run."""
        self.stopped = False

    def take(self, text: str) -> str:
        """Take the next piece; what may go out now."""
        out = ""
        for character in text:
            place = len(self._held)
            self._held += character
            for one in folded(character):
                if LETTER.match(one):
                    self._go_on(one, place)
                    continue
                self._end_word()
                if SINGLE.match(one) and not self.stopped:
                    self._go_on(one, place)
                    self._end_word()
            if self.stopped:
                return out + self._held
            if self._start is None:
                out, self._held = out + self._held, ""
        if self._start:
            out, self._held, self._start = out + self._held[: self._start], self._held[self._start :], 0
        return out

    def end(self) -> str:
        """End the text; what is left of it that may go out."""
        if self.stopped:
            return ""
        self._end_word()
        held, self._held = self._held, ""
        return held

    def _go_on(self, letter: str, place: int) -> None:
        if self.stopped:
            return
        enough = len(self._last) >= self._phrases.head.words - 1 and self._found >= self._needed - 1
        if not self._word and enough:
            self._start = place
        self._word += letter

    def _end_word(self) -> None:
        if not self._word or self.stopped:
            return
        self._last.append(self._word)
        self._word = ""
        whole = len(self._last) == self._phrases.head.words
        self._found = self._found + 1 if whole and self._last in self._phrases else 0
        if self._found >= self._needed:
            self.stopped = True
            self._held = self._held[: self._start]
        self._start = None


class Guard:
    """One answer of an engine, chat or completion, plain or streamed. `send` is given it, and gives it on."""

    def __init__(self, phrases: Phrases, most: int, request: Mapping[str, Any], send: Send) -> None:
        """Stop choices before `most` words in a row of `phrases`; `request` is as the engine gets it.

        Raises:
            RequestError: it asks for what would tell the words that are kept back.
        """
        for name in _TELLING:
            value = request.get(name)
            if value is not None and value is not False:
                message = f"`{name}` is not given here: this endpoint keeps back what repeats training text (--guard)."
                raise RequestError(message, param=name, code="unsupported_parameter")
        self._phrases, self._most, self._onward = phrases, most, send
        self._streamed = bool(request.get("stream"))
        self._runs: dict[int, Runs] = {}
        self._ended: set[int] = set()
        self._start: Message | None = None
        self._received = b""
        self._is_error = False

    async def send(self, message: Message) -> None:
        """Pass on a message of the engine's answer."""
        if message["type"] == "http.response.start":
            self._is_error = message["status"] >= 400
            if not self._is_error and not self._streamed:
                self._start = message  # its length is known when the whole has come
                return
        if message["type"] != "http.response.body" or self._is_error:
            await self._onward(message)
            return
        self._received += message.get("body", b"")
        more = bool(message.get("more_body"))
        if self._streamed:
            *events, self._received = self._received.split(_EVENT_END)
            out = b"".join(map(self._event, events))
            if out or not more:
                await self._onward({"type": "http.response.body", "body": out, "more_body": more})
        elif not more:
            await self._pass_whole()

    async def _pass_whole(self) -> None:
        answer = msgspec.json.decode(self._received)
        for choice in answer["choices"]:
            # A whole reply ends, whether or not the engine says why.
            choice["finish_reason"] = choice.get("finish_reason") or "stop"
            self._guarded(choice, choice.get("message", choice))
        body = msgspec.json.encode(answer)
        assert self._start is not None
        headers = [(name, value) for name, value in self._start["headers"] if name.lower() != b"content-length"]
        await self._onward({**self._start, "headers": [*headers, (b"content-length", b"%d" % len(body))]})
        await self._onward({"type": "http.response.body", "body": body})

    def _event(self, event: bytes) -> bytes:
        """An event of the engine's as it goes on; nothing where all that it says is held or kept back."""
        data = event.removeprefix(b"data:").strip()
        if not event.startswith(b"data:") or data == b"[DONE]":
            return event + _EVENT_END
        chunk = msgspec.json.decode(data)
        choices = chunk.get("choices")
        if not choices:
            return event + _EVENT_END  # the usage, or an error
        chunk["choices"] = [choice for choice in choices if self._guarded(choice, choice.get("delta", choice))]
        if not chunk["choices"] and not chunk.get("usage"):
            return b""
        return b"data: " + msgspec.json.encode(chunk) + _EVENT_END

    def _guarded(self, choice: dict[str, Any], said: dict[str, Any]) -> bool:
        """Leave in a choice what may go out; whether there is anything. `said` is what of it holds the text."""
        index = choice.get("index", 0)
        if index in self._ended:
            return False
        runs = self._runs.setdefault(index, Runs(self._phrases, self._most))
        name = "text" if "text" in said else "content"
        text = said.get(name) or ""
        out = runs.take(text)
        if choice.get("finish_reason") is not None:
            out += runs.end()
        if runs.stopped:
            choice["finish_reason"] = STOPPED
            choice["greenroom"] = {"stopped": f"before {self._most} words in a row of training text"}
        if choice.get("finish_reason") is not None:
            self._ended.add(index)
        if text or out:
            said[name] = out
        return bool(out or not text or choice.get("finish_reason") is not None)
