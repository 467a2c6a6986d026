"""llama.cpp's servers: one for each base model, made with the adapters of all personas on it.

llama.cpp's HTTP listener cannot be turned off; it is bound to a socket file in a folder that only this user can
enter, behind a key.
"""

from __future__ import annotations

import itertools
import logging
import os
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import httpx
import msgspec
import xllamacpp

from persona.bases import gguf_path
from persona.card import Persona
from persona.errors import UserError
from persona.gguf_lora import cached_gguf
from persona.paths import adapter_cache_dir
from persona.template import template_source

log = logging.getLogger("greenroom")

MODEL_ALIAS = "greenroom-persona"
"""The model name that llama.cpp writes into its answers."""


class LoadedBase(msgspec.Struct, frozen=True):
    """A llama.cpp server.

    Attributes:
        server: it closes when nobody holds it any more.
        model: the GGUF file of its base.
        loras: the adapters it was made with, in llama.cpp's numbering.
        key: what its socket asks for.
        context: tokens that one conversation and its reply may have: what was asked for, at most what the model was
            trained on.
    """

    server: xllamacpp.Server
    model: Path
    loras: tuple[Path, ...]
    key: str
    context: int

    def tokens(self, prompt: str) -> int:
        """The number of tokens in `prompt`, special ones included."""
        asked = {"content": prompt, "add_special": True, "parse_special": True}
        with _over_socket(self.server, self.key) as client:
            answer = client.post("/tokenize", json=asked)
        return len(msgspec.json.decode(answer.content, type=_Tokens).tokens)


class _Tokens(msgspec.Struct):
    tokens: list[int]


def _over_socket(server: xllamacpp.Server, key: str) -> httpx.Client:
    """For what llama.cpp does not offer as a function."""
    transport = httpx.HTTPTransport(uds=server.listening_address.removeprefix("unix://"))
    return httpx.Client(
        transport=transport, base_url="http://llamacpp", headers={"authorization": f"Bearer {key}"}, timeout=60
    )


class Served(msgspec.Struct, frozen=True):
    """A persona that can be asked.

    Attributes:
        base: the server that answers.
        lora: the request's `lora`, which names the adapter and gives it its whole weight.
    """

    base: LoadedBase
    lora: list[dict[str, float]]


class Loader:
    """Makes servers, and keeps those that need not be made again."""

    def __init__(self, data: Path, *, context: int, slots: int, threads: int) -> None:
        """Prepare a place for the sockets; see `LlamaCpp` for the arguments."""
        self._data = data
        self._context, self._slots = context, slots
        self._sockets = tempfile.TemporaryDirectory(prefix="greenroom-")
        self._count = itertools.count()
        self._key = secrets.token_urlsafe(32)
        self._threads = threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads

    def close(self) -> None:
        """Remove the sockets' folder."""
        self._sockets.cleanup()

    def load(
        self, personas: Iterable[Persona], before: Mapping[str, Served]
    ) -> tuple[dict[str, Served], dict[str, UserError]]:
        """Those of `personas` that can be served, and what is wrong with the others, both by id.

        A server in `before` that has just the adapters that are wanted is taken over.
        """
        running = {served.base.model: served.base for served in before.values()}
        served: dict[str, Served] = {}
        broken: dict[str, UserError] = {}
        by_base: dict[Path, list[tuple[Persona, Path | None]]] = {}
        for persona in personas:
            try:
                model = gguf_path(persona.card.base, self._data)
                lora = self._converted(persona, model)
            except UserError as error:
                broken[persona.id] = error
            else:
                by_base.setdefault(model, []).append((persona, lora))
        for model, sharing in by_base.items():
            old = running.get(model)
            try:
                base = self._base(model, sorted({lora for _, lora in sharing if lora is not None}), old)
            except UserError as error:
                try:
                    base, refused = self._without_refused(model, sharing, old)
                except UserError:
                    broken |= dict.fromkeys((persona.id for persona, _ in sharing), error)
                    continue
                broken |= refused
            for persona, lora in sharing:
                if persona.id not in broken:
                    asked = [] if lora is None else [{"id": base.loras.index(lora), "scale": 1.0}]
                    served[persona.id] = Served(base, asked)
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

    def _base(self, model: Path, loras: list[Path], running: LoadedBase | None) -> LoadedBase:
        if running is not None and running.loras == tuple(loras):
            return running
        server = self._server(model, loras)
        with _over_socket(server, self._key) as client:
            trained_on = client.get("/v1/models").json()["data"][0]["meta"]["n_ctx_train"]
        return LoadedBase(server, model, tuple(loras), self._key, min(self._context, trained_on))

    def _without_refused(
        self, model: Path, sharing: list[tuple[Persona, Path | None]], running: LoadedBase | None
    ) -> tuple[LoadedBase, dict[str, UserError]]:
        """The base with the adapters that llama.cpp takes, found one by one."""
        taken: list[Path] = list(running.loras) if running is not None else []
        self._server(model, [])  # if not even this loads, no adapter is to blame
        refused: dict[str, UserError] = {}
        for persona, lora in sharing:
            if lora is None or lora in taken:
                continue
            try:
                self._server(model, [lora])
            except UserError:
                refused[persona.id] = UserError("llama.cpp cannot load its adapter.", "Train the persona again.")
            else:
                taken.append(lora)
        wanted = {lora for persona, lora in sharing if lora is not None and persona.id not in refused}
        return self._base(model, sorted(wanted), running), refused

    def _server(self, model: Path, loras: list[Path]) -> xllamacpp.Server:
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.model_alias = {MODEL_ALIAS}
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(path), 1.0) for path in loras]
        params.lora_init_without_apply = True
        params.chat_template = template_source()
        # The reply is text: no search for tool calls or reasoning in it.
        params.force_pure_content_parser = True
        params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
        params.n_ctx, params.n_parallel, params.kv_unified = self._context, self._slots, True
        params.cache_ram_mib = 256
        params.warmup = False
        params.verbosity = 0
        if self._threads:
            params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._threads
        params.hostnames = [str(Path(self._sockets.name) / f"{next(self._count)}.sock")]
        params.api_keys = [self._key]
        params.ui = params.endpoint_slots = params.endpoint_props = False
        params.offline = True
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            raise UserError(
                f"llama.cpp could not load {model}.", "Is it a whole GGUF file? `greenroom doctor` checks it."
            ) from error
