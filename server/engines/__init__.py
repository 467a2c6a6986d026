"""The engines under the persona layer.

An engine is something that answers OpenAI chat requests whose messages carry speakers' names as roles, whose
`chat_template_kwargs` say whose reply to open, and whose `model` is what `Engine.model` says. `llamacpp` is an ASGI app
in this process in front of llama.cpp's servers in theirs; `vllm` replaces this process with vLLM's own server, the
layer inside it, and `vllm_inside` is what the layer finds there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from persona.card import Persona
from persona.errors import UserError

CALLER = "greenroom.caller"
"""What the layer adds to a request's ASGI scope: the name of the key that asks, or ""."""


class Engine(Protocol):
    """What the layer asks of an engine besides answering requests."""

    async def update(self, personas: Iterable[Persona]) -> dict[str, UserError]:
        """Serve `personas` from now on, and none else.

        Requests under way end as they began. Comes back with what is wrong with each persona, by id, that cannot be
        served; the others are.
        """
        ...

    def model(self, persona_id: str) -> str:
        """What the engine calls a persona: the `model` of the requests that it is given."""
        ...

    def context(self, persona_id: str) -> int:
        """Tokens that a prompt and its reply may have together."""
        ...

    async def count(self, persona_id: str, prompt: str) -> int:
        """Tokens of `prompt`, a rendered one, by the engine's own tokenizer; special tokens count as what they are."""
        ...

    def ends_turns(self) -> bool:
        """Whether the token that ends the base's own sequences is the one that ends a turn."""
        ...
