"""Raw prompts: `/v1/completions`, a text that goes on in the persona's adapter.

No speaker is opened and nothing is put before the prompt. Special tokens in it are neutralised like everywhere else: a
prompt that could open a turn could speak in the name of another person with this persona's adapter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from persona.card import Persona
from persona.names import neutralise
from server.engines import Engine
from server.envelope import RequestError
from server.parameters import NOTHING_ASKED_RAW, checked, completed, refuse_if_asked
from server.roster import Roster
from server.window import reply_that_fits

USUAL_MAX_TOKENS = 16
"""OpenAI's default for this route."""


def completion(request: Mapping[str, Any], roster: Roster, *, vllm: bool = False) -> tuple[Persona, dict[str, Any]]:
    """The persona that a completion request asks for, and the request as the engine, `vllm` or not, is given it.

    Raises:
        RequestError: it cannot be answered.
    """
    persona = roster.find(request.get("model"))
    given = dict(request)
    for name, nothing in NOTHING_ASKED_RAW.items():
        if name != "n" or not given.get("use_beam_search"):
            refuse_if_asked(name, given.pop(name, None), nothing)
    logprobs = given.pop("logprobs", None)
    if logprobs is not None and (not isinstance(logprobs, int) or isinstance(logprobs, bool) or not 0 <= logprobs <= 5):
        raise RequestError("`logprobs` must be an integer from 0 to 5.", param="logprobs", code="invalid_value")
    parameters = checked(given, vllm=vllm, own=("model", "prompt"), route="completions")
    prompt = raw_prompt(request.get("prompt"))
    parameters = completed(parameters, persona)
    parameters.setdefault("max_tokens", USUAL_MAX_TOKENS)
    if logprobs is not None:
        parameters["logprobs"] = logprobs
    return persona, {**parameters, "model": persona.id, "prompt": prompt}


def raw_prompt(prompt: Any) -> str:
    """`prompt` without anything that a tokenizer could take for a special token; blank space around it stays.

    Raises:
        RequestError: it is not one text.
    """
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise RequestError(
            "`prompt` must be one string; token ids are not read, and several prompts are several requests.",
            param="prompt",
            code="invalid_type",
        )
    before = re.match(r"[ \t\n]*", prompt)
    after = re.search(r"[ \t\n]*\Z", prompt)
    body = neutralise(prompt)
    if not body or before is None or after is None:
        raise RequestError("`prompt` is empty: begin the text that is to go on.", param="prompt")
    return f"{before[0]}{body}{after[0]}"


async def fit_prompt(request: dict[str, Any], persona: Persona, engine: Engine) -> None:
    """Lower `max_tokens` to what the prompt leaves of the context.

    Raises:
        RequestError: the prompt leaves no room; a raw text is not cut, since nobody knows where it could be.
    """
    prompt: str = request["prompt"]
    context = engine.context(persona.id)
    tokens = len(prompt.encode())
    if tokens + request["max_tokens"] >= context:
        tokens = await engine.count(persona.id, prompt)
    left = reply_that_fits(tokens, context)
    if left < 1:
        raise RequestError(
            f"`prompt` has {tokens} tokens, and the context {context}, the reply's included.",
            param="prompt",
            code="context_length_exceeded",
        )
    request["max_tokens"] = min(request["max_tokens"], left)
