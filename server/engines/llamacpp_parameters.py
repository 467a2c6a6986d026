"""Parameters that llama.cpp has under another name, or in another way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from server.envelope import RequestError
from server.response_format import grammar, json_schema

Count = Callable[[str], Awaitable[int]]

_RENAMED = {"repetition_penalty": "repeat_penalty"}


async def translate(request: dict[str, Any], count: Count) -> None:
    """Put the parameters of `request` as llama.cpp knows them. `count` counts the tokens of a text.

    Raises:
        RequestError: llama.cpp cannot do what a parameter asks.
    """
    for name, theirs in _RENAMED.items():
        if name in request:
            request[theirs] = request.pop(name)
    if "response_format" in request:
        # Its own way is built into its parsers of replies, which are turned off here.
        schema = json_schema(request.pop("response_format"))
        if schema is not None:
            request["grammar"] = grammar(schema)
    if "bad_words" in request:
        biases: list[list[Any]] = [[int(token), bias] for token, bias in request.get("logit_bias", {}).items()]
        request["logit_bias"] = biases + await _never(request.pop("bad_words"), count)


async def _never(words: list[str], count: Count) -> list[list[Any]]:
    """llama.cpp's biases against `words`, at the beginning of a line and within it, as vLLM understands them."""
    marks = await count("")
    biases: list[list[Any]] = []
    for word in dict.fromkeys(word.strip() for word in words):
        for spelling in (word, f" {word}"):
            if await count(spelling) - marks != 1:
                raise RequestError(
                    f"llama.cpp can forbid words of one token alone, and {word[:80]!r} has more.",
                    param="bad_words",
                    code="unsupported_value",
                )
            biases.append([spelling, False])
    return biases
