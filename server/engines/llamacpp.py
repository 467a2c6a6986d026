"""llama.cpp through `xllamacpp`: the engine that works wherever pip does.

llama.cpp's own server does the work: slots, batching, prompt cache, sampling, OpenAI's response format. It runs in a
process of its own for each base model (`llamacpp_server`), and its answers pass through here as they come.

Which adapter answers is part of the request (`lora`), added here from the persona's id and from nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from persona.card import Persona
from persona.errors import UserError
from server.engines import CALLER
from server.engines.llamacpp_load import Base, Loader, Served
from server.engines.llamacpp_parameters import translate
from server.engines.llamacpp_server import MODEL_ALIAS
from server.envelope import RequestError, no_such_persona

log = logging.getLogger("greenroom")

# llama.cpp writes its own model name into every answer. It is made to write this, and the persona's id is put in
# its place byte for byte: inside a JSON string a quote is escaped, so nothing a model says can look like it.
_MODEL_MARK = b'"model":"%s"' % MODEL_ALIAS.encode()
_FIELD = re.compile(r"Field '(\w+)'")
_T = TypeVar("_T")
_EVENT_END = b"\n\n"
_ERROR_EVENT = b'data: {"error"'


class LlamaCpp:
    """The engine as an ASGI app: `POST /v1/chat/completions`, `POST /v1/completions` and `GET /health`."""

    def __init__(
        self,
        personas: Iterable[Persona],
        data: Path,
        *,
        context: int = 8192,
        slots: int = 4,
        threads: int = 0,
        max_loaded: int = 0,
    ) -> None:
        """Load the base models that `personas` need, once each, with as many of their adapters as there is room for.

        Who can be asked is in `served`, what is wrong with the others in `broken`, both by the persona's id.

        Args:
            personas: who will be asked for.
            data: the private folder: base models are read from it, converted adapters kept in it.
            context: tokens that all slots share, for each base.
            slots: requests answered at the same time; more wait.
            threads: for computing; 0 takes the cores this process may use.
            max_loaded: adapters in memory at the same time, for each base; 0 for as many as fit in `ADAPTER_BYTES`.
        """
        self._loader = Loader(data, context=context, slots=slots, threads=threads, max_loaded=max_loaded)
        self.served, self.broken = self._loader.load(personas, {})
        self._updating = asyncio.Lock()

    async def update(self, personas: Iterable[Persona]) -> dict[str, UserError]:
        """Serve `personas` from now on (see `server.engines.Engine`).

        A new adapter is loaded when it is asked for; an adapter's file is named by what is in it, so one that changed
        is a new one. A base that nobody has any more ends with its last request, which holds it until then.
        """
        async with self._updating:
            served, self.broken = await asyncio.to_thread(self._loader.load, list(personas), self.served)
            self.served = served
            return self.broken

    def model(self, persona_id: str) -> str:
        """The persona's id: which adapter that is, is looked up here."""
        return persona_id

    def context(self, persona_id: str) -> int:
        """Tokens of a conversation with its reply: all slots' together, since any of them may take it all."""
        return self._base(persona_id).context

    async def count(self, persona_id: str, prompt: str) -> int:
        """Tokens of a rendered prompt."""
        return await self._base(persona_id).tokens(prompt)

    def ends_turns(self) -> bool:
        """Not known, and not needed: each request has a `stop` for it, since there is no beam search here."""
        return False

    def _base(self, persona_id: str) -> Base:
        return self._asked(persona_id).base

    def _asked(self, persona_id: str) -> Served:
        served = self.served.get(persona_id)
        if served is None:  # its folder was removed since the layer looked
            raise no_such_persona(persona_id)
        return served

    def close(self) -> None:
        """Stop the engine and free its memory."""
        for base in {served.base for served in self.served.values()}:
            base.close()
        self.served = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["path"] == "/health":
            await JSONResponse({"status": "ok"})(scope, receive, send)
        elif scope["path"] in ("/v1/chat/completions", "/v1/completions"):
            # The turn lasts until the reply is sent, however that ends.
            async with AsyncExitStack() as turn:
                try:
                    response = await self._reply(Request(scope, receive), turn)
                except RequestError as error:
                    response = error.response()
                except ClientDisconnect:
                    return
                await response(scope, receive, send)
        else:
            await RequestError(f"There is no {scope['path']} here.", status=404).response()(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            kind = (await receive())["type"]
            if kind == "lifespan.shutdown":
                self.close()
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return

    async def _reply(self, http: Request, turn: AsyncExitStack) -> Response:
        request: dict[str, Any] = msgspec.json.decode(await http.body())
        persona_id: str = request["model"]
        served = self._asked(persona_id)
        await translate(request, partial(self.count, persona_id))
        try:
            answer = await _unless_gone(self._answer(http, request, served, turn), http)
            if answer is None:
                raise ClientDisconnect
            if answer.status_code != 200:
                raise _engine_error(await answer.aread())
            named = b'"model":' + msgspec.json.encode(persona_id)
            if request.get("stream"):
                headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
                return StreamingResponse(_events(answer, named), media_type="text/event-stream", headers=headers)
            whole = await _unless_gone(answer.aread(), http)
        except httpx.HTTPError as error:
            log.exception("the engine failed")
            raise RequestError("The engine failed; the endpoint's log says more.", status=500) from error
        if whole is None:
            raise ClientDisconnect
        return Response(whole.replace(_MODEL_MARK, named, 1), media_type="application/json")

    async def _answer(
        self, http: Request, request: dict[str, Any], served: Served, turn: AsyncExitStack
    ) -> httpx.Response:
        """llama.cpp's answer, of which the head has come in, once it is the request's turn."""
        key: str = http.scope.get(CALLER, "")
        server, request["lora"] = await turn.enter_async_context(served.base.turn(key, served.lora))
        body = msgspec.json.encode(request)
        return await turn.enter_async_context(server.post(http.scope["path"], body))


async def _events(answer: httpx.Response, named: bytes) -> AsyncIterator[bytes]:
    """The reply's server-sent events, each whole; `named` says the persona's id."""
    rest = b""
    try:
        async for chunk in answer.aiter_raw():
            rest += chunk
            end = rest.rfind(_EVENT_END) + len(_EVENT_END)
            if end < len(_EVENT_END):
                continue
            events, rest = rest[:end], rest[end:]
            if _ERROR_EVENT in events:
                before, _, error = events.partition(_ERROR_EVENT)
                error = error.partition(_EVENT_END)[0]
                events = before + b"data: " + _engine_error(b'{"error"' + error).body() + _EVENT_END
            yield events.replace(_MODEL_MARK, named)
    except httpx.HTTPError:
        log.exception("the engine failed")
        error = RequestError("The engine failed; the endpoint's log says more.", status=500).body()
        yield b"data: " + error + _EVENT_END + b"data: [DONE]" + _EVENT_END


async def _unless_gone(answer: Coroutine[Any, Any, _T], http: Request) -> _T | None:
    """What `answer` comes back with; None, and it is cancelled, if the client leaves before."""
    answering = asyncio.ensure_future(answer)
    gone = asyncio.ensure_future(_disconnected(http))
    try:
        await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
        return answering.result() if answering.done() else None
    finally:
        gone.cancel()
        if not answering.done():
            answering.cancel()
            # What it holds, it has let go of when this comes back.
            await asyncio.wait({answering})


async def _disconnected(http: Request) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        pass


def _engine_error(chunk: bytes) -> RequestError:
    """llama.cpp's error object in OpenAI's words."""
    try:
        error = msgspec.json.decode(chunk)["error"]
        message, status = str(error["message"]), int(error.get("code") or 400)
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return RequestError("The engine failed.", status=500)
    if "exceeds the available context size" in message:
        return RequestError(
            f"This conversation is too long for the model: {message}.",
            param="messages",
            code="context_length_exceeded",
        )
    if "Context size has been exceeded" in message:
        # All slots share it: this one fits alone, and not beside those that are under way.
        return RequestError(
            "The conversations under way fill the context that all share; ask again in a moment.",
            code="rate_limit_exceeded",
            status=429,
            headers={"retry-after": "2"},
        )
    named = _FIELD.match(message)
    param = named[1] if named is not None else None
    return RequestError(message, param=param, status=status if 400 <= status < 600 else 500)
