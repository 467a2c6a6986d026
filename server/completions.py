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
from persona.template import TURN_END
from server.engines import Engine
from server.envelope import RequestError
from server.parameters import checked
from server.roster import Roster
from server.window import reply_that_fits

USUAL_MAX_TOKENS = 16
"""OpenAI's default for this route."""
# Parameters of this route that OpenAI has and the engines do not have alike, and what each may hold.
_NOTHING_ASKED: Mapping[str, tuple[Any, ...]] = {
    "echo": (None, False), "suffix": (None, ""), "best_of": (None, 1), "n": (None, 1)
}  # fmt: skip
_CHAT_ALONE = ("top_logprobs", "response_format", "max_completion_tokens", "messages")


def completion(
    request: Mapping[str, Any], roster: Roster, engine_only: frozenset[str] = frozenset()
) -> tuple[Persona, dict[str, Any]]:
    """The persona that a completion request asks for, and the request as the engine is given it.

    Raises:
        RequestError: it cannot be answered.
    """
    persona = roster.find(request.get("model"))
    given = dict(request)
    for name, allowed in _NOTHING_ASKED.items():
        value = given.pop(name, None)
        if not any(value is one or (type(value) is type(one) and value == one) for one in allowed):
            raise RequestError(f"`{name}` is not supported here.", param=name)
    for name in _CHAT_ALONE:
        if name in given:
            raise RequestError(f"Unrecognized request argument: {name}.", param=name, code="unknown_parameter")
    logprobs = given.pop("logprobs", None)
    if logprobs is not None and (not isinstance(logprobs, int) or isinstance(logprobs, bool) or not 0 <= logprobs <= 5):
        raise RequestError("`logprobs` must be an integer from 0 to 5.", param="logprobs", code="invalid_value")
    parameters = checked(given, engine_only, own=("model", "prompt"))
    prompt = raw_prompt(request.get("prompt"))
    for name, default in persona.card.sampling.given().items():
        parameters.setdefault(name, default)
    parameters.setdefault("max_tokens", USUAL_MAX_TOKENS)
    if logprobs is not None:
        parameters["logprobs"] = logprobs
    stop = parameters.get("stop", [])
    parameters["stop"] = [stop] if isinstance(stop, str) else list(stop)
    if not parameters.get("ignore_eos"):
        parameters["stop"].append(TURN_END)
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
