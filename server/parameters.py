"""What a request for a reply may say, and what becomes of each parameter: one list for every route and engine.

Only what is listed here as honoured reaches an engine. That keeps an engine's own switches (another adapter, another
template, a slot, a cache) out of reach of requests, and gives a client that asks for what is not there an error that
names it, instead of an answer that silently ignores it. The table in docs/serving.md is made from this list
(`python -m scripts.make_parameters`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from persona.card import Persona
from persona.template import TURN_END
from server.envelope import RequestError

Route = Literal["chat", "completions", "responses"]
Limits = tuple[type, float, float | None]

ROUTES: tuple[Route, ...] = ("chat", "completions", "responses")


class Parameter(msgspec.Struct, frozen=True):
    """A parameter that is honoured.

    Attributes:
        name: OpenAI's name for it, or vLLM's where OpenAI has none.
        routes: where it may stand.
        limits: for a number: int or float, the least and the most (None is open).
        vllm_only: llama.cpp does not have it.
        note: what there is to know about it, for the documentation.
    """

    name: str
    routes: tuple[Route, ...] = ROUTES
    limits: Limits | None = None
    vllm_only: bool = False
    note: str = ""


# Ranges are OpenAI's, or the engines' where OpenAI has none.
HONOURED = (
    Parameter("stream"),
    Parameter("stream_options", note="`include_usage`, with `stream`; a response's usage always comes"),
    Parameter("temperature", limits=(float, 0, 2)),
    Parameter("top_p", limits=(float, 0, 1)),
    Parameter("max_tokens", ("chat", "completions"), (int, 1, None), note="`completions`: 16 if it is left out"),
    Parameter("max_completion_tokens", ("chat",), (int, 1, None), note="the same as `max_tokens`"),
    Parameter("max_output_tokens", ("responses",), (int, 1, None), note="the same as `max_tokens`"),
    Parameter(
        "n",
        ("chat", "completions"),
        (int, 1, 16),
        note="llama.cpp: at most `--slots`; `completions`: with `use_beam_search`",
    ),
    Parameter("stop", note="a string or up to 16; vLLM: up to 4"),
    Parameter("seed", limits=(int, -(2**63), 2**63 - 1), note="llama.cpp uses the lowest 32 bits"),
    Parameter("presence_penalty", limits=(float, -2, 2)),
    Parameter("frequency_penalty", limits=(float, -2, 2)),
    Parameter("logit_bias", note="from -100 to 100 by token id"),
    Parameter("logprobs", ("chat", "completions"), note="`chat`: true or false; `completions`: from 0 to 5"),
    Parameter("top_logprobs", ("chat", "responses"), (int, 0, 20), note="with `logprobs`; `responses`: with `include`"),
    Parameter("response_format", ("chat",), note="`text`, `json_object`, `json_schema`; in `responses` `text.format`"),
    Parameter("top_k", limits=(int, -1, 2**31 - 1), note="as vLLM's; 0 and -1 are all"),
    Parameter("min_p", limits=(float, 0, 1), note="as vLLM's"),
    Parameter("repetition_penalty", limits=(float, 0.01, 10), note="as vLLM's"),
    Parameter("ignore_eos", note="as vLLM's: goes on beyond the turn, up to the limit of tokens"),
    Parameter("bad_words", note="as vLLM's; llama.cpp: words of one token, others are refused"),
    Parameter("min_tokens", limits=(int, 0, None), vllm_only=True),
    Parameter("return_token_ids", ("chat", "completions"), vllm_only=True),
    Parameter(
        "use_beam_search",
        ("chat", "completions"),
        vllm_only=True,
        note="`n` beams, up to 10; nothing is sampled, so with `max_tokens`, `length_penalty`, `ignore_eos`, `stream` "
        "(`chat`) and `logprobs` alone",
    ),
    Parameter(
        "length_penalty", ("chat", "completions"), (float, -10, 10), vllm_only=True, note="with `use_beam_search`"
    ),
)
_BY_NAME = {parameter.name: parameter for parameter in HONOURED}

# Bookkeeping that OpenAI's servers read and that changes nothing about the reply here.
ACCEPTED = frozenset(
    "user metadata store service_tier safety_identifier prompt_cache_key prompt_cache_retention prompt_cache_options "
    "parallel_tool_calls max_tool_calls reasoning_effort reasoning chat_template_kwargs prediction".split()
)
# Fine while they ask for nothing: what each may hold.
NOTHING_ASKED: Mapping[str, tuple[Any, ...]] = {
    "tools": (None, []),
    "functions": (None, []),
    "tool_choice": (None, "none", "auto"),
    "function_call": (None, "none", "auto"),
    "modalities": (None, ["text"]),
    "audio": (None,),
    "image": (None,),
    "web_search_options": (None,),
    "moderation": (None,),
    "context_management": (None,),
    "access_programs": (None,),
    "background_options": (None,),
    "verbosity": (None, "medium"),
}
# The same for raw prompts.
NOTHING_ASKED_RAW: Mapping[str, tuple[Any, ...]] = {
    "echo": (None, False),
    "suffix": (None, ""),
    "best_of": (None, 1),
    "n": (None, 1),
}
BOOLEANS = ("stream", "logprobs", "ignore_eos", "use_beam_search", "return_token_ids")
# What a beam search of vLLM's takes notice of; whatever else shapes a reply it would ignore.
_WITH_BEAMS = frozenset(
    "stream stream_options n max_tokens max_completion_tokens use_beam_search length_penalty ignore_eos logprobs "
    "top_logprobs temperature return_token_ids".split()
)
MAX_BEAMS = 10
"""vLLM looks at twice as many tokens as beams, and at no more than 20."""


def honoured(route: Route, *, vllm: bool) -> frozenset[str]:
    """The names of the parameters that `route` honours on vLLM, or else on llama.cpp."""
    return frozenset(one.name for one in HONOURED if route in one.routes and (vllm or not one.vllm_only))


def checked(
    request: Mapping[str, Any],
    *,
    vllm: bool = False,
    own: tuple[str, ...] = ("model", "messages"),
    route: Route = "chat",
) -> dict[str, Any]:
    """The parameters of `request` that an engine is given; those in `own` are the caller's to treat.

    A parameter that is null counts as not sent. `vllm`: that is the engine, and not llama.cpp.

    Raises:
        RequestError: a parameter that no engine has, or one of a type that no engine takes.
    """
    here = honoured(route, vllm=vllm)
    elsewhere = honoured(route, vllm=True) - here
    passed: dict[str, Any] = {}
    for name, value in request.items():
        if name in NOTHING_ASKED:
            refuse_if_asked(name, value, NOTHING_ASKED[name])
        elif name in here:
            if value is not None:
                passed[name] = value
        elif name in elsewhere:
            if value not in (None, False):
                raise RequestError(
                    f"`{name}` needs the engine vLLM; this endpoint runs llama.cpp, which does not have it.",
                    param=name,
                    code="unsupported_parameter",
                )
        elif name not in ACCEPTED and name not in own:
            raise RequestError(
                f"Unrecognized request argument: {name[:80]}.", param=name[:80], code="unknown_parameter"
            )
    _check_types(passed)
    _check_together(passed)
    if "max_completion_tokens" in passed:
        passed["max_tokens"] = passed.pop("max_completion_tokens")
    return passed


def completed(parameters: dict[str, Any], persona: Persona) -> dict[str, Any]:
    """`parameters` with what the card of `persona` says where they say nothing, and an end where its turn ends."""
    beams = bool(parameters.get("use_beam_search"))
    if parameters.get("top_p") == 0:
        parameters["top_p"] = 1e-6  # the likeliest token alone: OpenAI allows 0 for it, vLLM does not
    defaults = persona.card.sampling.given()
    for name, value in defaults.items():
        if not beams or name in _WITH_BEAMS - {"temperature"}:
            parameters.setdefault(name, value)
    if beams:
        parameters["temperature"] = 0
        return parameters  # it has no `stop`: it ends where the base's own sequences end
    stop = parameters.get("stop", [])
    parameters["stop"] = [stop] if isinstance(stop, str) else list(stop)
    if not parameters.get("ignore_eos"):
        # Bases that do not know the mark as their end of sequence would go on in the next speaker's name.
        parameters["stop"].append(TURN_END)
    return parameters


def refuse_if_asked(name: str, value: Any, nothing: tuple[Any, ...]) -> None:
    """Let `value` pass if it is one of `nothing`, the values that ask for nothing.

    Raises:
        RequestError: it is another.
    """
    if not any(type(value) is type(one) and value == one for one in nothing):
        message = f"Personas write text; `{name}` is not supported."
        raise RequestError(message, param=name, code="unsupported_parameter")


def check_number(name: str, value: Any) -> None:
    """Let `value` pass if it is a number that the parameter `name` may have.

    Raises:
        RequestError: it is not.
    """
    limits = _BY_NAME[name].limits
    assert limits is not None
    kind, least, most = limits
    numeric = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    # NaN is not in any range, and an infinite one is refused by it where there is an end.
    if not numeric or not (least <= value and (most is None or value <= most)):
        within = f"from {least} to {most}" if most is not None else f"of at least {least}"
        what = "an integer" if kind is int else "a number"
        raise RequestError(f"`{name}` must be {what} {within}.", param=name, code="invalid_value")


def _check_types(parameters: Mapping[str, Any]) -> None:
    """Refuse wrong types and ranges here, in one voice, before an engine sees them."""
    for name, value in parameters.items():
        if _BY_NAME[name].limits is not None:
            check_number(name, value)
        elif name in BOOLEANS and not isinstance(value, bool):
            raise RequestError(f"`{name}` must be true or false.", param=name, code="invalid_type")
    _check_words(parameters)
    for name in ("stream_options", "logit_bias", "response_format"):
        if name in parameters and not isinstance(parameters[name], dict):
            raise RequestError(f"`{name}` must be an object.", param=name, code="invalid_type")
    for token, bias in parameters.get("logit_bias", {}).items():
        numeric = isinstance(bias, (int, float)) and not isinstance(bias, bool)
        known = token.isascii() and token.isdecimal() and len(token) < 10
        if not known or not numeric or not -100 <= bias <= 100:
            raise RequestError(
                "`logit_bias` maps token ids to numbers from -100 to 100.", param="logit_bias", code="invalid_value"
            )


def _check_words(parameters: Mapping[str, Any]) -> None:
    stop = parameters.get("stop", [])
    words = [stop] if isinstance(stop, str) else stop
    if not isinstance(words, list) or len(words) > 16 or not all(isinstance(word, str) for word in words):
        raise RequestError("`stop` must be a string or up to 16 strings.", param="stop", code="invalid_type")
    if "" in words:
        # It stands before every reply, so that each would end before it began.
        raise RequestError("`stop` must not be empty.", param="stop", code="invalid_value")
    bad = parameters.get("bad_words", [])
    if not isinstance(bad, list) or len(bad) > 256 or not all(isinstance(word, str) and word.strip() for word in bad):
        raise RequestError("`bad_words` must be up to 256 words.", param="bad_words", code="invalid_type")


def _check_together(parameters: Mapping[str, Any]) -> None:
    """Refuse what has no effect without something else, or with it."""
    options = parameters.get("stream_options", {})
    if "stream_options" in parameters and not parameters.get("stream"):
        raise RequestError("`stream_options` needs `stream: true`.", param="stream_options", code="invalid_value")
    for name, value in options.items():
        if name not in ("include_usage", "include_obfuscation") or value not in (None, True, False):
            message = "`stream_options` may hold `include_usage`, true or false."
            raise RequestError(message, param=f"stream_options.{name[:80]}", code="invalid_value")
    refuse_if_asked("stream_options.include_obfuscation", options.get("include_obfuscation"), (None, False))
    if parameters.get("top_logprobs") and not parameters.get("logprobs"):
        raise RequestError("`top_logprobs` needs `logprobs: true`.", param="top_logprobs", code="invalid_value")
    if not parameters.get("use_beam_search"):
        if "length_penalty" in parameters:
            message = "`length_penalty` needs `use_beam_search: true`."
            raise RequestError(message, param="length_penalty", code="invalid_value")
        return
    for name in sorted(parameters.keys() - _WITH_BEAMS):
        raise RequestError(f"A beam search has no `{name}`.", param=name, code="unsupported_parameter")
    if parameters.get("temperature", 0) != 0:
        message = "A beam search samples nothing: leave `temperature` out, or make it 0."
        raise RequestError(message, param="temperature", code="unsupported_value")
    if parameters.get("n", 1) > MAX_BEAMS:
        raise RequestError(f"A beam search has at most {MAX_BEAMS} beams (`n`).", param="n", code="invalid_value")
