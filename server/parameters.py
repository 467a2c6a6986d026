"""What a chat completion request may say, and what becomes of each parameter.

Only what is listed here reaches an engine. That keeps an engine's own switches (another adapter, another template,
a slot, a cache) out of reach of requests, and gives a client that asks for what is not there an error that names
it, instead of an answer that silently ignores it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.envelope import RequestError

# Sent on as they are. Both engines know them by these names, or the engine translates.
SUPPORTED = frozenset(
    "stream stream_options temperature top_p n stop seed max_tokens max_completion_tokens presence_penalty "
    "frequency_penalty logit_bias logprobs top_logprobs response_format top_k min_p repetition_penalty "
    "ignore_eos".split()
)
# What vLLM has beyond that: `return_token_ids` gives the prompt and the reply as token ids.
VLLM_ONLY = frozenset("min_tokens bad_words return_token_ids length_penalty".split())
# Bookkeeping that OpenAI's servers read and that changes nothing about the reply here.
ACCEPTED = frozenset(
    "user metadata store service_tier safety_identifier prompt_cache_key parallel_tool_calls reasoning_effort "
    "verbosity chat_template_kwargs prediction".split()
)
# Fine while they ask for nothing: what each may hold.
NOTHING_ASKED: Mapping[str, tuple[Any, ...]] = {
    "tools": (None, []),
    "functions": (None, []),
    "tool_choice": (None, "none", "auto"),
    "function_call": (None, "none", "auto"),
    "modalities": (None, ["text"]),
    "audio": (None,),
    "web_search_options": (None,),
}


def checked(
    request: Mapping[str, Any],
    engine_only: frozenset[str] = frozenset(),
    own: tuple[str, ...] = ("model", "messages"),
) -> dict[str, Any]:
    """The parameters of `request` that an engine is given; those in `own` are the caller's to treat.

    A parameter that is null counts as not sent. `engine_only` is what this engine has beyond `SUPPORTED`.

    Raises:
        RequestError: a parameter that no engine has, or one of a type that no engine takes.
    """
    passed: dict[str, Any] = {}
    for name, value in request.items():
        if name in NOTHING_ASKED:
            if value not in NOTHING_ASKED[name]:
                raise RequestError(f"Personas write text; `{name}` is not supported.", param=name)
        elif name in SUPPORTED or name in engine_only:
            if value is not None:
                passed[name] = value
        elif name not in ACCEPTED and name not in own:
            raise RequestError(f"Unrecognized request argument: {name}.", param=name, code="unknown_parameter")
    _check_types(passed)
    if "max_completion_tokens" in passed:
        passed["max_tokens"] = passed.pop("max_completion_tokens")
    return passed


NUMBERS = {
    # name: (kind, least, most); None is open. Ranges are OpenAI's, or the engines' where OpenAI has none.
    "temperature": (float, 0, 2), "top_p": (float, 0, 1), "min_p": (float, 0, 1),
    "presence_penalty": (float, -2, 2), "frequency_penalty": (float, -2, 2),
    "repetition_penalty": (float, 0.01, 10), "n": (int, 1, 16), "seed": (int, -(2**63), 2**63 - 1),
    "max_tokens": (int, 1, None), "max_completion_tokens": (int, 1, None), "min_tokens": (int, 0, None),
    "top_k": (int, -1, None), "top_logprobs": (int, 0, 20),
}  # fmt: skip
BOOLEANS = ("stream", "logprobs", "ignore_eos")


def _check_types(parameters: Mapping[str, Any]) -> None:
    """Refuse wrong types and ranges here, in one voice, before an engine sees them."""
    for name, value in parameters.items():
        if name in NUMBERS:
            kind, least, most = NUMBERS[name]
            numeric = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
            # NaN is not in any range, and an infinite one is refused by it where there is an end.
            if not numeric or not (least <= value and (most is None or value <= most)):
                limits = f"from {least} to {most}" if most is not None else f"of at least {least}"
                what = "an integer" if kind is int else "a number"
                raise RequestError(f"`{name}` must be {what} {limits}.", param=name, code="invalid_value")
        elif name in BOOLEANS and not isinstance(value, bool):
            raise RequestError(f"`{name}` must be true or false.", param=name, code="invalid_type")
    stop = parameters.get("stop", [])
    if not isinstance(stop, str) and not (
        isinstance(stop, list) and len(stop) <= 16 and all(isinstance(word, str) for word in stop)
    ):
        raise RequestError("`stop` must be a string or up to 16 strings.", param="stop", code="invalid_type")
    for name in ("stream_options", "logit_bias", "response_format"):
        if name in parameters and not isinstance(parameters[name], dict):
            raise RequestError(f"`{name}` must be an object.", param=name, code="invalid_type")
    if "stream_options" in parameters and not parameters.get("stream"):
        raise RequestError("`stream_options` needs `stream: true`.", param="stream_options")
    for token, bias in parameters.get("logit_bias", {}).items():
        numeric = isinstance(bias, (int, float)) and not isinstance(bias, bool)
        if not token.isdecimal() or not numeric or not -100 <= bias <= 100:
            raise RequestError(
                "`logit_bias` maps token ids to numbers from -100 to 100.", param="logit_bias", code="invalid_value"
            )
