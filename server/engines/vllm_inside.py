"""vLLM seen from the layer inside its process: adapters come and go there without its routes for that.

vLLM tells adapters apart by name: in a batch, and (with the path) in its prefix cache. So each version of a persona's
adapter has a name of its own, and vLLM is made to write the persona's id into its answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from persona.card import Persona
from persona.errors import UserError
from persona.paths import data_dir
from persona.template import TURN_END
from server.engines.vllm import BASE_SUFFIX
from server.engines.vllm_copies import Held, kept_adapter, remove_unused


class Vllm:
    """The engine's side of the layer, from the state of vLLM's own application."""

    def __init__(self, state: Any) -> None:
        """Begin with the adapters that vLLM was started with."""
        self._models = state.openai_serving_models
        self._names: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._stale: set[str] = set()
        self._held = Held()
        self._plain: list[str] = [base.name for base in self._models.base_model_paths]
        self._tokenizer = self._models.renderer.get_tokenizer()
        theirs = self._models.model_name

        def model_name(lora_request: Any = None) -> str:
            said: str = theirs(lora_request)
            return self._ids.get(said, said)

        self._models.model_name = model_name

    def model(self, persona_id: str) -> str:
        """The name of the version of the persona's adapter that is served now."""
        return self._names.get(persona_id, persona_id)

    def context(self, persona_id: str) -> int:
        """What `--context` was, or less where the model was trained on less."""
        return int(self._models.model_config.max_model_len)

    async def count(self, persona_id: str, prompt: str) -> int:
        """Tokens of a rendered prompt, by the tokenizer that vLLM uses itself."""
        ids = await asyncio.to_thread(self._tokenizer.encode, prompt, add_special_tokens=False)
        return len(ids)

    def ends_turns(self) -> bool:
        """Whether a reply ends by itself, without a `stop` for the mark at its end."""
        return bool(self._tokenizer.eos_token == TURN_END)

    async def update(self, personas: Iterable[Persona]) -> dict[str, UserError]:
        """Serve `personas` from now on (see `server.engines.Engine`)."""
        broken: dict[str, UserError] = {}
        names: dict[str, str] = {}
        for persona in personas:
            try:
                names[persona.id] = await self._name(persona)
            except UserError as error:
                broken[persona.id] = error
        await self._forget(self._stale - set(names.values()))
        # Those that were served until now may be asked for by requests that are on their way: they go next time.
        self._stale = set(self._models.lora_requests) - set(names.values())
        self._names = names
        self._held.hold(Path(request.lora_path) for request in self._models.lora_requests.values())
        await asyncio.to_thread(remove_unused, data_dir())
        return broken

    async def _name(self, persona: Persona) -> str:
        """What the persona is called in vLLM, its adapter loaded if need be."""
        if f"{persona.card.base}{BASE_SUFFIX}" != self._plain[0]:
            raise UserError(
                f"it needs the base {persona.card.base}, and vLLM serves {self._plain[0].removesuffix(BASE_SUFFIX)}.",
                "Start another endpoint for it.",
            )
        if persona.adapter is None:
            return persona.id if persona.id in self._plain else self._plain[0]
        path = str(await asyncio.to_thread(kept_adapter, persona.adapter, data_dir()))
        now = self._models.lora_requests.get(self.model(persona.id))
        if now is not None and now.lora_path == path:
            return self.model(persona.id)
        # No persona's id has an @ in it.
        name = f"{persona.id}@{path[-12:]}"
        if name not in self._models.lora_requests:
            await self._load(name, path)
        self._ids[name] = persona.id
        return name

    async def _load(self, name: str, path: str) -> None:
        from vllm.entrypoints.serve.lora.protocol import LoadLoRAAdapterRequest

        answer = await self._models.load_lora_adapter(LoadLoRAAdapterRequest(lora_name=name, lora_path=path))
        if not isinstance(answer, str):
            raise UserError(f"vLLM cannot load its adapter: {answer.error.message.rstrip('.')}.")

    async def _forget(self, names: Iterable[str]) -> None:
        from vllm.entrypoints.serve.lora.protocol import UnloadLoRAAdapterRequest

        for name in names:
            await self._models.unload_lora_adapter(UnloadLoRAAdapterRequest(lora_name=name))
