"""The persona layer: ASGI middleware that turns a persona into what an engine understands.

It stands in front of an engine that speaks OpenAI: around the embedded one, or inside the vLLM process
(`--middleware server.layer.PersonaLayer`). It answers the list of models itself, rewrites the body of a chat
request (who speaks, whose reply to open, the persona's sampling), and lets the response through untouched, so that
a streamed token costs nothing here. Every other route of the engine is out of reach.
"""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from persona.card import Persona
from persona.template import TURN_END
from server.conversation import Clock, turns
from server.engines import Engine
from server.envelope import RequestError
from server.parameters import VLLM_ONLY, checked
from server.roster import Roster
from server.watch import follow
from server.window import DROPPED_HEADER, fit

MAX_BODY_BYTES = 8 * 1024 * 1024
FOLDERS_VARIABLE = "GREENROOM_PERSONAS"
"""Environment variable with the persona folders, joined by the platform's path separator: vLLM makes the layer
itself and passes it nothing."""

CHAT = "/v1/chat/completions"
MODELS = "/v1/models"
# Read-only routes of the engine that say nothing about anybody's messages.
ENGINE_ROUTES = frozenset({"/health", "/metrics"})


def rewritten(
    body: bytes, roster: Roster, engine_only: frozenset[str] = frozenset(), clock: Clock = datetime.now
) -> tuple[Persona, dict[str, Any]]:
    """The persona that a chat request asks for, and the request as the engine is given it.

    `engine_only` is what the engine understands beyond `server.parameters.SUPPORTED`; `clock` is for context turns.

    Raises:
        RequestError: the body is not a chat request that can be answered.
    """
    try:
        request = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"The body is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise RequestError("The body is nested too deeply.") from error
    if not isinstance(request, dict):
        raise RequestError("The body must be a JSON object.")
    persona = roster.find(request.get("model"))
    parameters = checked(request, engine_only)
    said = turns(request.get("messages"), persona, roster.speakers, clock)
    for name, value in persona.card.sampling.given().items():
        parameters.setdefault(name, value)
    stop = parameters.get("stop", [])
    parameters["stop"] = [stop] if isinstance(stop, str) else list(stop)
    if not parameters.get("ignore_eos"):
        # Bases that do not know the mark as their end of sequence would go on in the next speaker's name.
        parameters["stop"].append(TURN_END)
    return persona, {
        **parameters,
        "model": persona.id,
        "messages": said,
        # Never the client's: whose reply is opened is decided here alone.
        "chat_template_kwargs": {"speaker": persona.speaker},
        "add_generation_prompt": True,
    }


class PersonaLayer:
    """The middleware. Give it a roster; without one it is inside vLLM, and reads the folders it was told."""

    def __init__(
        self, app: ASGIApp, roster: Roster | None = None, clock: Clock = datetime.now, engine: Engine | None = None
    ) -> None:
        self.app = app
        self.clock = clock
        self.engine = engine
        self.engine_only: frozenset[str] = frozenset()
        if roster is None:
            roster = Roster(Path(folder) for folder in os.environ[FOLDERS_VARIABLE].split(os.pathsep))
            self.engine_only = VLLM_ONLY
        self.roster = roster

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on rewritten."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websockets: closing the scope unanswered refuses the handshake
        path: str = scope["path"]
        try:
            if path == CHAT:
                _require_method(scope, "POST")
                await self._chat(scope, receive, send)
                return
            if path in ENGINE_ROUTES:
                _require_method(scope, "GET")
                await self.app(scope, receive, send)
                return
            response = self._models(scope, path)
        except RequestError as error:
            response = error.response()
        await response(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Follow the personas' folders for as long as the engine lives."""
        if self.engine is None:
            from server.engines.vllm_inside import Vllm

            self.engine = Vllm(scope["app"].state)
        following = asyncio.create_task(follow(self.roster, self.engine))
        try:
            await self.app(scope, receive, send)
        finally:
            following.cancel()

    def _models(self, scope: Scope, path: str) -> Response:
        if path == MODELS:
            _require_method(scope, "GET")
            return JSONResponse(self.roster.listing())
        if path.startswith(f"{MODELS}/"):
            _require_method(scope, "GET")
            return JSONResponse(self.roster.entry(self.roster.find(path.removeprefix(f"{MODELS}/"))))
        raise RequestError(f"There is no {path} here; try {MODELS} or {CHAT}.", code="not_found", status=404)

    async def _chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        if body is None:
            return  # the client left before it had said everything
        persona, request = rewritten(body, self.roster, self.engine_only, self.clock)
        if self.engine is not None:
            dropped = await fit(request, persona, self.engine)
            request["model"] = self.engine.model(persona.id)
            if dropped:
                send = _with_header(send, DROPPED_HEADER, b"%d" % dropped)
        encoded = msgspec.json.encode(request)
        headers = [(k, v) for k, v in scope["headers"] if k not in (b"content-length", b"content-type")]
        headers += [(b"content-length", b"%d" % len(encoded)), (b"content-type", b"application/json")]
        pending: list[Message] = [{"type": "http.request", "body": encoded, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self.app({**scope, "headers": headers}, replay, send)


def _with_header(send: Send, name: bytes, value: bytes) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (name, value)]}
        await send(message)

    return sending


def _require_method(scope: Scope, method: str) -> None:
    allowed = (method, "HEAD") if method == "GET" else (method,)
    if scope["method"] not in allowed:
        raise RequestError(f"{scope['path']} takes {method}.", code="method_not_allowed", status=405)


async def _read_body(receive: Receive) -> bytes | None:
    """The whole request body, or None when the client goes away while sending it.

    Raises:
        RequestError: it is larger than any conversation.
    """
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise RequestError(f"The request is larger than {MAX_BODY_BYTES >> 20} MiB.", status=413)
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)
