"""A small OpenAI endpoint on a loopback port that streams scripted replies and misbehaves on request.

It stands in for the engine only to produce faults and timings on demand, which a real engine does not do
when asked; the real engine has tests of its own. The client talks to it over a real socket.

    with FakeEndpoint() as fake:
        fake.say("milo", "hey\nwhat's up")     # the next reply of milo
        fake.misbehave("milo", "half event")   # the one after that
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

CAST: list[dict[str, Any]] = [
    {
        "id": "milo",
        "object": "model",
        "created": 0,
        "owned_by": "greenroom",
        "greenroom": {
            "speaker": "Milo Tarkwhistle",
            "about": "plays bass, never asleep before three",
            "base": "smollm2-135m-instruct",
            "owner": "Juno Farrowby",
            "interlocutor": "Juno Farrowby",
        },
    },
    {
        "id": "bea",
        "object": "model",
        "created": 0,
        "owned_by": "greenroom",
        "greenroom": {
            "speaker": "Bea Quillfeather",
            "about": "runs the allotment",
            "base": "smollm2-135m-instruct",
            "owner": "Juno Farrowby",
            "interlocutor": "Juno Farrowby",
        },
    },
    {"id": "plain-model", "object": "model", "created": 0, "owned_by": "somebody"},
]


@dataclass
class Script:
    """What one reply does: its pieces, the pause before each in seconds, and the fault, if any."""

    pieces: list[str] = field(default_factory=lambda: ["ok"])
    pause: float = 0.0
    fault: str = ""
    gate: threading.Event | None = None
    after: int = 0
    usage: bool = True


class FakeEndpoint:
    """The endpoint; `url` is its base address, `requests` what was asked of it."""

    def __init__(self, models: list[dict[str, Any]] | None = None, port: int = 0) -> None:
        """Serve `models` (the sample cast unless told) on `port`, or on any free one."""
        self.models: Any = CAST if models is None else models
        self.models_status = 200
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.left_early = 0
        self._scripts: dict[str, deque[Script]] = defaultdict(deque)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        routes = [
            Route("/v1/models", self._list),
            Route("/v1/chat/completions", self._complete, methods=["POST"]),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), log_level="critical", lifespan="off", timeout_graceful_shutdown=0
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            threading.Event().wait(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop serving at once, dropping whoever is connected."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(5)
        self._socket.close()

    # ---- the scripts

    def say(self, model: str, text: str, *, pause: float = 0.0, usage: bool = True) -> None:
        """Queue a reply that streams `text` word by word, the spaces and line ends kept."""
        pieces = text.replace("\n", "\n\0").replace(" ", " \0").split("\0")
        self._scripts[model].append(Script(pieces, pause, usage=usage))

    def say_pieces(self, model: str, pieces: list[str]) -> None:
        """Queue a reply that streams exactly these pieces."""
        self._scripts[model].append(Script(pieces))

    def hold(self, model: str, text: str, after: int) -> threading.Event:
        """Queue a reply that waits after `after` pieces until the returned event is set."""
        gate = threading.Event()
        pieces = text.replace("\n", "\n\0").replace(" ", " \0").split("\0")
        self._scripts[model].append(Script(pieces, gate=gate, after=after))
        return gate

    def misbehave(self, model: str, fault: str) -> None:
        """Queue a fault: a status such as "401", or a name that `_complete` or `_stream` knows."""
        self._scripts[model].append(Script(["well", " then", "\nso"], fault=fault))

    # ---- HTTP

    async def _list(self, request: Request) -> Response:
        self.keys.append(request.headers.get("authorization"))
        if self.models_status != 200:
            return _error(self.models_status, "no list today")
        if isinstance(self.models, str):
            return PlainTextResponse(self.models)
        return JSONResponse({"object": "list", "data": self.models})

    async def _complete(self, request: Request) -> Response:
        self.keys.append(request.headers.get("authorization"))
        body = await request.json()
        self.requests.append(body)
        queue = self._scripts[body["model"]]
        script = queue.popleft() if queue else Script()
        if script.fault.isdigit():
            return _error(int(script.fault), f"fault {script.fault} as asked")
        if script.fault == "hang":
            await self._until_gone(request)
        if script.fault == "html":
            return Response("<html>hello</html>", media_type="text/html")
        if script.fault == "whole":
            message = {"role": "assistant", "content": "".join(script.pieces)}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return JSONResponse({"object": "chat.completion", "choices": [choice]})
        return StreamingResponse(self._stream(script, request), media_type="text/event-stream")

    async def _stream(self, script: Script, request: Request) -> AsyncIterator[bytes]:
        yield b": a comment, which clients skip\n\n"
        for number, piece in enumerate(script.pieces):
            if script.gate is not None and number == script.after:
                await self._until_gone(request, script.gate)
            await asyncio.sleep(script.pause)
            yield _chunk({"content": piece})
        async for end in self._ending(script, request):
            yield end

    async def _ending(self, script: Script, request: Request) -> AsyncIterator[bytes]:
        if script.fault == "half event":
            yield b'data: {"choices":[{"delta":{"con'
            return
        if script.fault == "close":
            return
        if script.fault == "reset":
            raise ConnectionResetError("as asked")
        if script.fault == "garbage":
            yield b"data: <<<not json>>>\n\n"
            return
        if script.fault == "binary":
            yield b"data: \xff\xfe\x00\n\n"
            return
        if script.fault == "error event":
            yield b'data: {"error": {"message": "the model fell over", "type": "server_error"}}\n\n'
            return
        if script.fault == "silence":
            await self._until_gone(request)
        while script.fault == "never stop":
            await asyncio.sleep(0.002)
            yield _chunk({"content": " and then"})
        yield _chunk({}, finish="stop")
        if script.usage:
            usage = {"prompt_tokens": 7, "completion_tokens": len(script.pieces)}
            yield b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
        yield b"data: [DONE]\n\n"

    async def _until_gone(self, request: Request, gate: threading.Event | None = None) -> None:
        """Wait until the client leaves, the server stops, or `gate` opens."""
        try:
            while not self._server.should_exit and not (gate and gate.is_set()):
                if await request.is_disconnected():
                    self.left_early += 1
                    return
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:  # the response itself noticed first
            self.left_early += 1
            raise


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"object": "chat.completion.chunk", "choices": [choice]}
    # Raw UTF-8, as many servers send it, so that U+2028 and friends stand in the stream as they are.
    return b"data: " + json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n\n"


def _error(status: int, message: str) -> Response:
    headers = {"retry-after": "3"} if status == 429 else None
    body = {"error": {"message": message, "type": "fault", "param": None, "code": None}}
    return JSONResponse(body, status_code=status, headers=headers)
