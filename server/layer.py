"""The persona layer: ASGI middleware that turns a persona into what an engine understands.

It stands in front of an engine that speaks OpenAI: around the embedded one, or inside the vLLM process
(`--middleware server.layer.PersonaLayer`). It rewrites the body of a request for a reply (who speaks, whose reply to
open, the persona's sampling) and lets the response through untouched, so that a streamed token costs next to nothing
here; the Responses API alone is made of it, event by event, and a guard (`--guard`) reads it. Whatever else can be
asked it answers itself, and every other route of the engine is out of reach.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from persona.card import Persona
from persona.template import TURN_END
from server.access import SETTINGS_VARIABLE, Access, Caller, Settings
from server.completions import completion, fit_prompt
from server.conversation import Clock, turns
from server.engine_errors import InOneVoice
from server.engines import CALLER, Engine
from server.envelope import RequestError, no_such_persona
from server.guard import Guard
from server.metrics import CONTENT_TYPE, Measured, Metrics
from server.openapi import description, page
from server.parameters import checked, completed
from server.response_format import json_schema
from server.responses import RESPONSES, Asked, asked
from server.responses_answer import Answer
from server.roster import Roster
from server.watch import follow
from server.window import DROPPED_HEADER, fit

log = logging.getLogger("greenroom")

MAX_BODY_BYTES = 8 * 1024 * 1024
BODY_SECONDS = 60
"""How long a client may take to say what it wants; it takes one of the endpoint's places meanwhile."""
VLLM_STOPS = 4
FOLDERS_VARIABLE = "GREENROOM_PERSONAS"
"""Environment variable with the persona folders, joined by the platform's path separator: vLLM makes the layer
itself and passes it nothing."""

CHAT = "/v1/chat/completions"
MODELS = "/v1/models"
COMPLETIONS = "/v1/completions"
REPLIES = frozenset({CHAT, COMPLETIONS, RESPONSES})
READABLE = frozenset({MODELS, "/health", "/metrics", "/openapi.json", "/docs"})


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object that `body` is.

    Raises:
        RequestError: it is none.
    """
    try:
        request = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"The body is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise RequestError("The body is nested too deeply.") from error
    if not isinstance(request, dict):
        raise RequestError("The body must be a JSON object.")
    return request


def rewritten(
    request: Mapping[str, Any], roster: Roster, *, vllm: bool = False, clock: Clock = datetime.now
) -> tuple[Persona, dict[str, Any]]:
    """The persona that a chat request asks for, and the request as the engine, `vllm` or not, is given it.

    `clock` is for context turns.

    Raises:
        RequestError: it is not a chat request that can be answered.
    """
    persona = roster.find(request.get("model"))
    parameters = completed(checked(request, vllm=vllm), persona)
    if "response_format" in parameters:
        schema = json_schema(parameters.pop("response_format"))
        if schema is not None:
            # One way to say it, with the name that vLLM asks for.
            described = {"name": "reply", "schema": schema}
            parameters["response_format"] = {"type": "json_schema", "json_schema": described}
    said = turns(request.get("messages"), persona, roster.speakers, clock)
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
        self,
        app: ASGIApp,
        roster: Roster | None = None,
        clock: Clock = datetime.now,
        engine: Engine | None = None,
        access: Settings | None = None,
    ) -> None:
        self.app = app
        self.clock = clock
        self.engine = engine
        self.metrics = Metrics()
        self.vllm = roster is None
        if roster is None:
            access = msgspec.json.decode(os.environ[SETTINGS_VARIABLE], type=Settings)
            folders = os.environ[FOLDERS_VARIABLE].split(os.pathsep)
            roster = Roster(map(Path, folders), audited=access.audited, guard=access.guard)
        self.roster = roster
        self.access = Access(access or Settings())
        self._entrance: ASGIApp = self._http
        if self.access.settings.cors:
            self._entrance = CORSMiddleware(
                self._http,
                allow_origins=self.access.settings.cors,
                allow_methods=["GET", "POST"],
                allow_headers=["*"],
                expose_headers=[DROPPED_HEADER.decode(), "retry-after"],
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on rewritten."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websockets: closing the scope unanswered refuses the handshake
        await self._entrance(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(scope, receive, send)
        except RequestError as error:
            response = error.response()
        if response is not None:
            await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Response | None:
        """The response to send, or None where the engine has sent it (or nobody is there to read it)."""
        path: str = scope["path"]
        caller = self.access.caller(scope)
        if path in REPLIES:
            _require_method(scope, "POST")
            with self.access.admitted(caller):
                await self._reply(caller, scope, receive, send)
            return None
        if path == "/v1/embeddings":
            _require_method(scope, "POST")
            raise RequestError("Personas write text; they have no embeddings.", param="model", code="unsupported")
        if path not in READABLE and not path.startswith(f"{MODELS}/"):
            kept = " Responses are not kept." if path.startswith(f"{RESPONSES}/") else ""
            raise RequestError(
                f"There is no {path[:80]} here; try {MODELS} or {CHAT}.{kept}", code="not_found", status=404
            )
        _require_method(scope, "GET")
        if path == "/health":
            await self.app(scope, receive, send)
            return None
        if path == "/metrics":
            if caller.limited:
                raise _not_for(caller, "the metrics of all personas")
            return Response(self.metrics.page(), media_type=CONTENT_TYPE)
        if path == "/openapi.json":
            return JSONResponse(description(vllm=self.vllm))
        if path == "/docs":
            return HTMLResponse(
                page(vllm=self.vllm),
                headers={"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"},
            )
        if path == MODELS:
            return JSONResponse(self.roster.listing(caller.may_ask))
        model = path.removeprefix(f"{MODELS}/")
        self._require_persona(caller, model)
        return JSONResponse(self.roster.entry(self.roster.find(model)))

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

    def _require_persona(self, caller: Caller, model: Any) -> None:
        # Before it is looked up: a key with a list of its own does not learn who else there is.
        if not caller.limited:
            return
        if not isinstance(model, str) or not caller.may_ask(model):
            raise _not_for(caller, f"{model[:80]!r}" if isinstance(model, str) else "that")
        if model not in self.roster.personas and model not in self.roster.broken:
            raise no_such_persona(model)

    async def _reply(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read_body(receive)
        except TimeoutError:
            raise RequestError(f"The body did not arrive within {BODY_SECONDS} s.", status=408) from None
        if body is None:
            return  # the client left before it had said everything
        said = parsed(body)
        self._require_persona(caller, said.get("model"))
        response: Asked | None = None
        if scope["path"] == RESPONSES:
            response = asked(said)
            persona, request = rewritten(response.chat, self.roster, vllm=self.vllm, clock=self.clock)
            send = Answer(response, request, persona.id, send).send
            scope = {**scope, "path": CHAT, "raw_path": CHAT.encode()}
        elif scope["path"] == CHAT:
            persona, request = rewritten(said, self.roster, vllm=self.vllm, clock=self.clock)
        else:
            persona, request = completion(said, self.roster, vllm=self.vllm)
        phrases = self.roster.phrases(persona)
        if phrases is not None:
            send = Guard(phrases, self.roster.guard, request, send).send
        usage_wanted = _usage_wanted(request) or response is not None
        with Measured(self.metrics, persona.id, send, usage_wanted=usage_wanted) as measured:
            try:
                answered = InOneVoice(measured.send).send if self.vllm else measured.send
                forward = await self._fitted(request, persona, answered, response)
                await self._forward(request, {**scope, CALLER: caller.name}, receive, forward)
            except RequestError as error:
                await error.response()(scope, receive, measured.send)

    async def _fitted(
        self, request: dict[str, Any], persona: Persona, send: Send, response: Asked | None = None
    ) -> Send:
        """Make `request` fit the engine's context and name its persona as the engine does; where to send the reply."""
        if self.engine is None:
            return send
        try:
            if "prompt" in request:
                await fit_prompt(request, persona, self.engine)
                dropped = 0
            else:
                dropped = await fit(request, persona, self.engine)
        except httpx.HTTPError as error:
            log.exception("the engine does not count")
            raise RequestError("The engine failed; the endpoint's log says more.", status=500) from error
        if dropped and response is not None and not response.may_cut:
            message = f"The conversation is too long by {dropped} turns, and `truncation` is disabled."
            raise RequestError(message, param="input", code="context_length_exceeded")
        if request.get("use_beam_search") and not self.engine.ends_turns():
            message = "A beam search would not end with the turn: this base ends its sequences with another token."
            raise RequestError(message, param="use_beam_search", code="unsupported_parameter")
        if self.vllm and len(request.get("stop", [])) > VLLM_STOPS:
            if not (self.engine.ends_turns() and TURN_END in request["stop"]) or len(request["stop"]) > VLLM_STOPS + 1:
                raise RequestError("`stop` has more words than vLLM takes.", param="stop", code="invalid_value")
            request["stop"].remove(TURN_END)  # which the base ends with by itself
        request["model"] = self.engine.model(persona.id)
        return _with_header(send, DROPPED_HEADER, b"%d" % dropped) if dropped else send

    async def _forward(self, request: dict[str, Any], scope: Scope, receive: Receive, send: Send) -> None:
        encoded = msgspec.json.encode(request)
        headers = [(k, v) for k, v in scope["headers"] if k not in (b"content-length", b"content-type")]
        headers += [(b"content-length", b"%d" % len(encoded)), (b"content-type", b"application/json")]
        pending: list[Message] = [{"type": "http.request", "body": encoded, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self.app({**scope, "headers": headers}, replay, send)


def _usage_wanted(request: dict[str, Any]) -> bool:
    """Whether the client asked for a stream's usage. The engine is always asked: it is counted."""
    if not request.get("stream"):
        return True
    options = request.get("stream_options", {})
    request["stream_options"] = {"include_usage": True}
    return bool(options.get("include_usage"))


def _with_header(send: Send, name: bytes, value: bytes) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (name, value)]}
        await send(message)

    return sending


def _not_for(caller: Caller, what: str) -> RequestError:
    return RequestError(
        f"The key {caller.name!r} may not ask for {what}.", param="model", code="persona_not_allowed", status=403
    )


def _require_method(scope: Scope, method: str) -> None:
    allowed = (method, "HEAD") if method == "GET" else (method,)
    if scope["method"] not in allowed:
        raise RequestError(
            f"{scope['path']} takes {method}.",
            code="method_not_allowed",
            status=405,
            headers={"allow": ", ".join(allowed)},
        )


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
