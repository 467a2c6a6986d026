"""The base models and adapters that llama.cpp has loaded: one server for each base, with the adapters last asked for.

llama.cpp takes its adapters when a server is made. A persona whose adapter is not loaded therefore waits for a new
server, which has it instead of those that nobody has asked for longest.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import httpx
import msgspec

from persona.bases import gguf_path
from persona.card import Persona
from persona.errors import UserError
from persona.gguf_lora import cached_gguf
from persona.paths import adapter_cache_dir
from server.engines.llamacpp_server import LlamaServer, Shape
from server.engines.turns import Turns
from server.envelope import RequestError

log = logging.getLogger("greenroom")

ADAPTER_BYTES = 1 << 30
"""How much memory the adapters of a base may take where no number of them is given."""
_TRIES = 3


class _Tokens(msgspec.Struct):
    tokens: list[int]


class Base:
    """A base model with some of its adapters in memory.

    Attributes:
        model: its GGUF file.
        context: tokens that one conversation and its reply may have: what was asked for, at most what the model was
            trained on.
        server: the process that has it now.
    """

    def __init__(self, model: Path, shape: Shape, max_loaded: int, loras: Iterable[Path]) -> None:
        """Load it with as many of `loras`, the first first, as there is room for; blocks until it answers.

        Raises:
            UserError: llama.cpp cannot load the model or one of the adapters.
        """
        self.model = model
        self._shape, self._max_loaded = shape, max_loaded
        self._turns = Turns(shape.slots)
        self._loading = asyncio.Lock()
        # The last one asked for comes first.
        self._recent = list(loras)
        self.server = LlamaServer(model, self._fitting(self._recent), shape)
        with self.server.client() as client:
            trained_on: int = client.get("/v1/models").json()["data"][0]["meta"]["n_ctx_train"]
        self.context = min(shape.context, trained_on)

    def _fitting(self, wanted: Iterable[Path]) -> tuple[Path, ...]:
        """The first of `wanted` that there is room for, in an order that does not depend on who asked when."""
        taken: list[Path] = []
        left = ADAPTER_BYTES
        for lora in wanted:
            left -= lora.stat().st_size
            if taken and (len(taken) >= self._max_loaded if self._max_loaded else left < 0):
                break
            taken.append(lora)
        return tuple(sorted(taken))

    @asynccontextmanager
    async def turn(self, key: str, lora: Path | None) -> AsyncIterator[tuple[LlamaServer, list[dict[str, float]]]]:
        """Wait for a turn (see `Turns`) and for `lora` to be loaded: the server to ask, and the request's `lora`.

        Raises:
            RequestError: the adapter cannot be loaded.
        """
        async with self._turns.turn(key, lora):
            server = await self._with(lora)
            yield server, chosen(server, lora)

    async def tokens(self, prompt: str) -> int:
        """The number of tokens in `prompt`, special ones included.

        Raises:
            httpx.HTTPError: the server does not answer.
        """
        asked = msgspec.json.encode({"content": prompt, "add_special": True, "parse_special": True})
        for left in reversed(range(_TRIES)):
            server = await self._with(None)
            try:
                async with server.post("/tokenize", asked) as answer:
                    return len(msgspec.json.decode(await answer.aread(), type=_Tokens).tokens)
            except httpx.HTTPError:
                # Counting waits for no turn, so another server may have been made meanwhile.
                if not left or (server is self.server and server.alive):
                    raise
        raise AssertionError

    async def _with(self, lora: Path | None) -> LlamaServer:
        """The server, with `lora` in it. Whoever calls this with one has its turn: no reply is under way in another."""
        if lora is not None:
            self._recent = [lora, *(one for one in self._recent if one != lora)]
        if self._loading.locked() or not self._has(lora):
            # Not cancelled halfway if this client leaves: others may wait for it too.
            await asyncio.shield(asyncio.ensure_future(self._load(lora)))
        return self.server

    def _has(self, lora: Path | None) -> bool:
        return self.server.alive and (lora is None or lora in self.server.loras)

    async def _load(self, lora: Path | None) -> None:
        async with self._loading:
            if not self._has(lora):
                await self._make(lora)

    async def _make(self, lora: Path | None) -> None:
        before = [one for one in self._recent if one in self.server.loras and one.is_file()]
        waited_for = [cast(Path, one) for one in self._turns.next_adapters() if one is not None]
        asked = [] if lora is None else [lora]
        for wanted in ([*asked, *waited_for, *before], [*asked, *before], asked, before):
            # The old one is idle and goes first, so that there is never room needed for two.
            await asyncio.to_thread(self.server.close)
            try:
                distinct = self._fitting(dict.fromkeys(wanted))
                self.server = await asyncio.to_thread(LlamaServer, self.model, distinct, self._shape)
            except (UserError, OSError) as error:
                log.warning("a server with %d adapters cannot be made: %s", len(wanted), error)
            else:
                break
        if not self.server.alive:
            raise RequestError("The engine failed; the endpoint's log says more.", status=500)
        if lora is not None and lora not in self.server.loras:
            raise RequestError(
                "llama.cpp cannot load the persona's adapter.", param="model", code="persona_broken", status=404
            )

    def close(self) -> None:
        """End its process."""
        self.server.close()


def chosen(server: LlamaServer, lora: Path | None) -> list[dict[str, float]]:
    """A request's `lora`: this adapter with its whole weight, the others with none.

    One that names none at all would get what the server began with, and what the last one left in the slot.
    """
    if lora is not None:
        return [{"id": server.loras.index(lora), "scale": 1.0}]
    return [{"id": 0, "scale": 0.0}] if server.loras else []


class Served(msgspec.Struct, frozen=True):
    """A persona that can be asked.

    Attributes:
        base: where its base model is loaded.
        lora: its adapter as GGUF, or None for the plain base.
    """

    base: Base
    lora: Path | None


class Loader:
    """Finds what each persona needs, and loads what is not loaded yet."""

    def __init__(self, data: Path, *, context: int, slots: int, threads: int, max_loaded: int) -> None:
        """See `LlamaCpp` for the arguments."""
        self._data = data
        self._max_loaded = max_loaded
        threads = threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads
        self._shape = Shape(context, slots, threads)

    def load(
        self, personas: Iterable[Persona], before: Mapping[str, Served]
    ) -> tuple[dict[str, Served], dict[str, UserError]]:
        """Those of `personas` that can be served, and what is wrong with the others, both by id.

        A base in `before` is taken over as it is; an adapter that is new to it is loaded when it is asked for.
        """
        running = {served.base.model: served.base for served in before.values()}
        served: dict[str, Served] = {}
        broken: dict[str, UserError] = {}
        by_base: dict[Path, dict[str, Path | None]] = {}
        for persona in personas:
            try:
                model = gguf_path(persona.card.base, self._data)
                lora = self._converted(persona, model)
            except UserError as error:
                broken[persona.id] = error
            else:
                by_base.setdefault(model, {})[persona.id] = lora
        for model, adapters in by_base.items():
            try:
                base = running.get(model) or self._base(model, adapters, broken)
            except UserError as error:
                broken |= dict.fromkeys(adapters, error)
            else:
                served |= {id_: Served(base, lora) for id_, lora in adapters.items() if id_ not in broken}
        return served, broken

    def _converted(self, persona: Persona, model: Path) -> Path | None:
        if persona.adapter is None:
            return None
        try:
            return cached_gguf(persona.adapter, model, adapter_cache_dir(self._data))
        except UserError:
            raise
        except Exception as error:  # of all the ways a file can be damaged, each library has its own exceptions
            raise UserError(f"cannot read its adapter: {error}.", "Add the persona again.") from error

    def _base(self, model: Path, adapters: Mapping[str, Path | None], broken: dict[str, UserError]) -> Base:
        """The base with its first adapters, less those that llama.cpp does not take, which are put into `broken`."""
        loras = dict.fromkeys(lora for lora in adapters.values() if lora is not None)
        try:
            return Base(model, self._shape, self._max_loaded, loras)
        except UserError:
            if not loras:
                raise
        Base(model, self._shape, self._max_loaded, []).close()  # if not even this loads, no adapter is to blame
        taken: list[Path] = []
        for lora in loras:
            try:
                LlamaServer(model, (lora,), self._shape).close()
            except UserError:
                refused = UserError("llama.cpp cannot load its adapter.", "Train the persona again.")
                broken |= dict.fromkeys((id_ for id_, its in adapters.items() if its == lora), refused)
            else:
                taken.append(lora)
        return Base(model, self._shape, self._max_loaded, taken)
