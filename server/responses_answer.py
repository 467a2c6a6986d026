"""A chat completion on its way to the client, made a response of the Responses API; plain and streamed.

It takes the place of the server's `send`: what an engine sends of a chat completion comes out as OpenAI's servers
send a response, event by event. An error that comes instead of an answer passes as it is.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any

import msgspec
from starlette.types import Message, Send

from server.responses import Asked

_FINISHED = {"stop": "completed", "length": "incomplete"}


class Answer:
    """One response. `send` is given what the engine sends, and gives it on."""

    def __init__(self, asked: Asked, request: dict[str, Any], model: str, send: Send) -> None:
        """`request` is the chat request as the engine gets it, `model` what the client called the persona."""
        self._asked, self._request, self._model, self._onward = asked, request, model, send
        self._id, self._item = f"resp_{secrets.token_hex(24)}", f"msg_{secrets.token_hex(24)}"
        self._created = int(time.time())
        self._streamed = bool(request.get("stream"))
        self._start: Message | None = None
        self._received = bytearray()
        self._events = 0
        self._is_error = self._began = self._over = False
        self._text: list[str] = []
        self._logprobs: list[dict[str, Any]] = []
        self._finish: str | None = None
        self._usage: dict[str, Any] | None = None

    async def send(self, message: Message) -> None:
        """Pass on a message of the engine's answer."""
        if message["type"] == "http.response.start":
            self._is_error = message["status"] >= 400
            if not self._is_error and not self._streamed:
                self._start = message  # its length is known when the whole has come
                return
            await self._onward(message)
        elif self._is_error:
            await self._onward(message)
        elif self._streamed:
            await self._pass_events(message)
        else:
            self._received += message.get("body", b"")
            if not message.get("more_body"):
                await self._pass_whole()

    async def _pass_whole(self) -> None:
        answer = msgspec.json.decode(self._received)
        choice = answer["choices"][0]
        self._take(choice["message"].get("content"), choice)
        self._usage = answer.get("usage")
        body = msgspec.json.encode(self._response(self._status()))
        assert self._start is not None
        headers = [(name, value) for name, value in self._start["headers"] if name != b"content-length"]
        headers.append((b"content-length", b"%d" % len(body)))
        await self._onward({**self._start, "headers": headers})
        await self._onward({"type": "http.response.body", "body": body})

    async def _pass_events(self, message: Message) -> None:
        self._received += message.get("body", b"")
        *lines, rest = bytes(self._received).split(b"\n\n")
        self._received = bytearray(rest)
        out = b"".join(event for line in lines for event in self._translated(line))
        more = bool(message.get("more_body"))
        if not more and not self._over:
            # An engine that fails may just stop; a client must not take half a reply for a whole one.
            out += b"".join(self._failed({"message": "The engine stopped before the reply was whole."}))
        if out or not more:
            await self._onward({"type": "http.response.body", "body": out, "more_body": more})

    def _translated(self, line: bytes) -> Iterator[bytes]:
        """The events that one of the engine's makes."""
        if self._over or not line.startswith(b"data: "):
            return
        data = line.removeprefix(b"data: ").strip()
        if data == b"[DONE]":
            yield from self._end() if self._finish is not None else ()
            return
        chunk = msgspec.json.decode(data)
        if "error" in chunk:
            yield from self._failed(chunk["error"])
            return
        if not self._began:
            yield from self._begin()
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk["choices"]:
            text = choice["delta"].get("content")
            logprobs = self._take(text, choice)
            if text:
                yield self._event("response.output_text.delta", **self._at(), delta=text, logprobs=logprobs)

    def _take(self, text: str | None, choice: dict[str, Any]) -> list[dict[str, Any]]:
        """Add a piece of the reply; its log-probabilities."""
        self._text.append(text or "")
        self._finish = choice.get("finish_reason") or self._finish
        logprobs = [
            {
                **_logprob(token),
                # llama.cpp sends more than it was asked for.
                "top_logprobs": [_logprob(one) for one in token["top_logprobs"][: self._request["top_logprobs"]]],
            }
            for token in (choice.get("logprobs") or {}).get("content") or []
        ]
        self._logprobs += logprobs
        return logprobs

    def _begin(self) -> Iterator[bytes]:
        self._began = True
        started = self._response("in_progress")
        yield self._event("response.created", response=started)
        yield self._event("response.in_progress", response=started)
        item = {"id": self._item, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        yield self._event("response.output_item.added", output_index=0, item=item)
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        yield self._event("response.content_part.added", **self._at(), part=part)

    def _end(self) -> Iterator[bytes]:
        self._over = True
        status = self._status()
        whole = self._response(status)
        part = self._part()
        yield self._event(
            "response.output_text.done", **self._at(), text=part["text"], logprobs=part.get("logprobs", [])
        )
        yield self._event("response.content_part.done", **self._at(), part=part)
        yield self._event("response.output_item.done", output_index=0, item=whole["output"][0])
        yield self._event(f"response.{status}", response=whole)

    def _failed(self, error: dict[str, Any]) -> Iterator[bytes]:
        if not self._began:
            yield from self._begin()
        self._over = True
        code = error.get("code") or "server_error"
        yield self._event("error", code=code, message=error["message"], param=error.get("param"))
        failed = self._response("failed")
        failed["error"] = {"code": "server_error", "message": error["message"]}
        yield self._event("response.failed", response=failed)

    def _event(self, kind: str, **fields: Any) -> bytes:
        data = msgspec.json.encode({"type": kind, "sequence_number": self._events, **fields})
        self._events += 1
        return b"event: %s\ndata: %s\n\n" % (kind.encode(), data)

    def _at(self) -> dict[str, Any]:
        return {"item_id": self._item, "output_index": 0, "content_index": 0}

    def _status(self) -> str:
        return _FINISHED.get(self._finish or "", "incomplete")

    def _reason(self) -> str:
        return "content_filter" if self._finish == "content_filter" else "max_output_tokens"

    def _part(self) -> dict[str, Any]:
        return {
            "type": "output_text",
            "text": "".join(self._text),
            "annotations": [],
            "logprobs": self._logprobs,
        }

    def _response(self, status: str) -> dict[str, Any]:
        """The response object as it stands."""
        begun = status != "in_progress"
        item = {
            "id": self._item,
            "type": "message",
            "status": "completed" if status == "completed" else "incomplete",
            "role": "assistant",
            "content": [self._part()],
        }
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": self._reason()} if status == "incomplete" else None,
            "model": self._model,
            "output": [item] if begun else [],
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "default",
            "store": False,
            "temperature": self._request.get("temperature"),
            "tool_choice": "auto",
            "tools": [],
            "top_p": self._request.get("top_p"),
            "usage": _usage(self._usage) if begun and self._usage else None,
            **self._asked.repeated,
        }


def _logprob(token: dict[str, Any]) -> dict[str, Any]:
    return {"token": token["token"], "logprob": token["logprob"], "bytes": token.get("bytes") or []}


def _usage(usage: dict[str, Any]) -> dict[str, Any]:
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage["prompt_tokens"] + usage["completion_tokens"],
    }
