"""llama.cpp in this process, through `xllamacpp`: the engine that works wherever pip does.

llama.cpp's own server does the work: slots, batching, prompt cache, sampling, OpenAI's response format. Requests
reach it by a function call and tokens come back by a callback, so there is no second HTTP hop.

Which adapter answers is part of the request (`lora`), added here from the persona's id and from nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from persona.card import Persona
from persona.errors import UserError
from server.engines.llamacpp_load import MODEL_ALIAS, LoadedBase, Loader, Served
from server.engines.llamacpp_parameters import translate
from server.envelope import RequestError, no_such_persona

log = logging.getLogger("greenroom")

MAX_WAITING = 64
"""Requests under way or waiting for a slot; each holds a thread that sleeps in C++."""
# llama.cpp writes its own model name into every answer. It is made to write this, and the persona's id is put in
# its place byte for byte: inside a JSON string a quote is escaped, so nothing a model says can look like it.
_MODEL_MARK = b'"model":"%s"' % MODEL_ALIAS.encode()
_FIELD = re.compile(r"Field '(\w+)'")
_END = object()

_Answer = Callable[[bytes, Callable[[bytes], bool]], Any]
"""A server's function that answers a request through a callback, and returns when it has. It holds its server."""


class LlamaCpp:
    """The engine as an ASGI app: `POST /v1/chat/completions`, `POST /v1/completions` and `GET /health`."""

    def __init__(
        self, personas: Iterable[Persona], data: Path, *, context: int = 8192, slots: int = 4, threads: int = 0
    ) -> None:
        """Load the base models that `personas` need, once each, with all their adapters.

        Who can be asked is in `served`, what is wrong with the others in `broken`, both by the persona's id.

        Args:
            personas: who will be asked for.
            data: the private folder: base models are read from it, converted adapters kept in it.
            context: tokens that all slots share, for each base.
            slots: requests answered at the same time; more wait.
            threads: for computing; 0 takes the cores this process may use.
        """
        self._workers = ThreadPoolExecutor(MAX_WAITING, thread_name_prefix="llamacpp")
        self._loader = Loader(data, context=context, slots=slots, threads=threads)
        self.served, self.broken = self._loader.load(personas, {})
        self._updating = asyncio.Lock()

    async def update(self, personas: Iterable[Persona]) -> dict[str, UserError]:
        """Serve `personas` from now on (see `server.engines.Engine`).

        llama.cpp takes its adapters when a server is made, so a base whose adapters changed gets a second server on
        the same mapped weights. New requests go to it; the old one closes when its last request ends and lets go.
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
        return await asyncio.to_thread(self._base(persona_id).tokens, prompt)

    def ends_turns(self) -> bool:
        """Not known, and not needed: each request has a `stop` for it, since there is no beam search here."""
        return False

    def _base(self, persona_id: str) -> LoadedBase:
        return self._asked(persona_id).base

    def _asked(self, persona_id: str) -> Served:
        served = self.served.get(persona_id)
        if served is None:  # its folder was removed since the layer looked
            raise no_such_persona(persona_id)
        return served

    def close(self) -> None:
        """Stop the engine and free its memory."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        self.served = {}
        self._loader.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        request = Request(scope, receive)
        if scope["path"] == "/health":
            response: Response = JSONResponse({"status": "ok"})
        elif scope["path"] in ("/v1/chat/completions", "/v1/completions"):
            try:
                response = await self._reply(await request.body(), request)
            except RequestError as error:
                response = error.response()
            except ClientDisconnect:
                return
        else:
            response = RequestError(f"There is no {scope['path']} here.", status=404).response()
        await response(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            kind = (await receive())["type"]
            if kind == "lifespan.shutdown":
                self.close()
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return

    async def _reply(self, body: bytes, http: Request) -> Response:
        request: dict[str, Any] = msgspec.json.decode(body)
        persona_id: str = request["model"]
        served = self._asked(persona_id)
        await translate(request, partial(self.count, persona_id))
        request["lora"] = served.lora
        server = served.base.server
        answer = server.handle_completions if "prompt" in request else server.handle_chat_completions
        call = _Call(answer, request, persona_id, self._workers)
        first = await call.first(http)
        if first is None:
            raise ClientDisconnect
        if first.startswith(b'{"error"'):
            raise _engine_error(first)
        if request.get("stream"):
            headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
            return StreamingResponse(call.events(first), media_type="text/event-stream", headers=headers)
        return Response(first, media_type="application/json")


class _Call:
    """One request under way in llama.cpp: chunks go from its thread to the event loop through a queue."""

    def __init__(self, answer: _Answer, request: dict[str, Any], persona_id: str, workers: ThreadPoolExecutor) -> None:
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[bytes | object] = asyncio.Queue()
        self._left = threading.Event()
        self._name = b'"model":' + msgspec.json.encode(persona_id)
        workers.submit(self._run, answer, msgspec.json.encode(request))

    def _run(self, answer: _Answer, body: bytes) -> None:
        """In a worker thread: blocks until the reply is whole or nobody wants it any more."""
        if not self._left.is_set():
            try:
                answer(body, self._arrived)
            except ValueError as error:
                # What llama.cpp finds wrong before it starts is thrown, not called back.
                self._put(RequestError(str(error)).body())
            except Exception:
                log.exception("the engine failed")
                self._put(RequestError("The engine failed; the endpoint's log says more.", status=500).body())
        self._put(_END)

    def _arrived(self, chunk: bytes) -> bool:
        """Called by llama.cpp with each chunk; True tells it to stop and free the slot."""
        if chunk != b"null":  # how a stream of a raw prompt begins
            self._put(chunk)
        return self._left.is_set()

    def _put(self, chunk: bytes | object) -> None:
        # After the loop is closed (shutdown with replies under way) there is nobody left to tell.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)

    async def first(self, http: Request) -> bytes | None:
        """The first chunk (all of it, if the reply is not streamed), or None if the client left before it."""
        chunk = asyncio.ensure_future(self._next())
        gone = asyncio.ensure_future(_disconnected(http))
        try:
            await asyncio.wait({chunk, gone}, return_when=asyncio.FIRST_COMPLETED)
            if chunk.done():
                return chunk.result()
            self._left.set()
            return None
        except asyncio.CancelledError:
            self._left.set()
            raise
        finally:
            chunk.cancel()
            gone.cancel()

    async def _next(self) -> bytes | None:
        chunk = await self._chunks.get()
        return chunk.replace(_MODEL_MARK, self._name, 1) if isinstance(chunk, bytes) else None

    async def events(self, first: bytes) -> AsyncIterator[bytes]:
        """The reply as server-sent events; leaving the loop early stops the engine."""
        try:
            chunk: bytes | None = first
            while chunk is not None:
                if chunk.startswith(b'{"error"'):
                    chunk = _engine_error(chunk).body()
                yield b"data: " + chunk + b"\n\n"
                chunk = await self._next()
            yield b"data: [DONE]\n\n"
        finally:
            self._left.set()


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
