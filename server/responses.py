"""OpenAI's Responses API, the part of it that is text: a request for a response as a chat request.

No engine has it alike, so it is made here, on chat completions, and `server.responses_answer` makes their answer a
response. Nothing is kept between two requests: a conversation goes on by sending it, and what would need a stored
response is refused.

Source: https://platform.openai.com/docs/api-reference/responses and the `openai` package's types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from server.conversation import text_of
from server.envelope import RequestError
from server.parameters import check_number, refuse_if_asked

RESPONSES = "/v1/responses"

# What `include` may name. Only the log-probabilities exist here; the others belong to items that no persona makes, so
# that there is nothing to include.
LOGPROBS = "message.output_text.logprobs"
INCLUDABLE = frozenset(
    "file_search_call.results web_search_call.results web_search_call.action.sources message.input_image.image_url "
    "computer_call_output.output.image_url code_interpreter_call.outputs reasoning.encrypted_content".split()
) | {LOGPROBS}
# Their names here and in a chat request.
_RENAMED = {"max_output_tokens": "max_tokens"}
# Those that are treated here; the rest is checked as the parameters of a chat request are.
_OWN = frozenset(
    "model input instructions max_output_tokens text include truncation metadata stream_options top_logprobs "
    "previous_response_id conversation background prompt max_tool_calls reasoning".split()
)
# A chat request's that no response has.
_CHAT_ALONE = frozenset(
    "messages n logprobs max_tokens max_completion_tokens response_format reasoning_effort prediction audio modalities "
    "functions function_call web_search_options return_token_ids use_beam_search length_penalty".split()
)


class Asked(msgspec.Struct):
    """A request for a response.

    Attributes:
        chat: the chat request that has the same answer.
        repeated: what the response repeats of the request.
        may_cut: whether the oldest turns may be left out where the conversation is too long (`truncation`).
    """

    chat: dict[str, Any]
    repeated: dict[str, Any]
    may_cut: bool


def asked(request: Mapping[str, Any]) -> Asked:
    """What `request` asks for.

    Raises:
        RequestError: something that there is not here; the message says what instead.
    """
    _refuse_what_is_not_here(request)
    given = {name: value for name, value in request.items() if value is not None}
    for name in ("max_output_tokens", "top_logprobs"):
        if name in given:
            check_number(name, given[name])
    chat = {name: value for name, value in given.items() if name not in _OWN}
    chat["model"] = request.get("model")
    chat["messages"] = _messages(given.get("instructions"), given.get("input"))
    chat |= {chat_name: given[name] for name, chat_name in _RENAMED.items() if name in given}
    text_format = _format(given.get("text", {}), chat)
    if LOGPROBS in _included(given.get("include", [])):
        chat["logprobs"], chat["top_logprobs"] = True, given.get("top_logprobs", 0)
    elif given.get("top_logprobs"):
        message = f'`top_logprobs` needs `include: ["{LOGPROBS}"]`.'
        raise RequestError(message, param="top_logprobs", code="invalid_value")
    metadata = given.get("metadata", {})
    if not isinstance(metadata, dict):
        raise RequestError("`metadata` must be an object.", param="metadata", code="invalid_type")
    truncation = given.get("truncation", "auto")
    if truncation not in ("auto", "disabled"):
        raise RequestError("`truncation` must be auto or disabled.", param="truncation", code="invalid_value")
    repeated = {
        "instructions": given.get("instructions"),
        "max_output_tokens": given.get("max_output_tokens"),
        "metadata": metadata,
        "text": {"format": text_format},
        "top_logprobs": given.get("top_logprobs", 0),
        "truncation": truncation,
        "user": given.get("user"),
    }
    return Asked(chat, repeated, may_cut=truncation == "auto")


def _refuse_what_is_not_here(request: Mapping[str, Any]) -> None:
    for name in ("previous_response_id", "conversation"):
        if request.get(name) is not None:
            raise RequestError(
                f"`{name}` is not supported: nothing is kept here. Send the conversation so far in `input`.",
                param=name,
                code="unsupported_parameter",
            )
    if request.get("background"):
        message = "`background` is not supported: nothing is kept that could be fetched later. Try `stream`."
        raise RequestError(message, param="background", code="unsupported_parameter")
    if request.get("prompt") is not None:
        message = "`prompt` names a stored prompt, and none are stored here: send it as `instructions`."
        raise RequestError(message, param="prompt", code="unsupported_parameter")
    for name in sorted(_CHAT_ALONE & set(request)):
        raise RequestError(f"Unrecognized request argument: {name}.", param=name, code="unknown_parameter")
    options = request.get("stream_options")
    if options is not None:
        if not isinstance(options, dict) or not set(options) <= {"include_obfuscation"}:
            message = "`stream_options` may hold `include_obfuscation`; a response's usage always comes."
            raise RequestError(message, param="stream_options", code="invalid_value")
        refuse_if_asked("stream_options.include_obfuscation", options.get("include_obfuscation"), (None, False))


def _included(include: Any) -> list[str]:
    if not isinstance(include, list) or not all(isinstance(one, str) and one in INCLUDABLE for one in include):
        message = f"`include` must be a list of {', '.join(sorted(INCLUDABLE))}."
        raise RequestError(message, param="include", code="invalid_value")
    return include


def _format(text: Any, chat: dict[str, Any]) -> dict[str, Any]:
    """The response's `text.format`; as a chat request's `response_format` it is put into `chat`."""
    wanted = text.get("format") if isinstance(text, dict) else text
    if wanted is None:
        wanted = {"type": "text"}
    if not isinstance(text, dict) or not isinstance(wanted, dict):
        raise RequestError("`text` must be an object with a `format`.", param="text", code="invalid_type")
    refuse_if_asked("text.verbosity", text.get("verbosity"), (None, "medium"))
    if wanted.get("type") == "json_schema":
        schema = {name: value for name, value in wanted.items() if name != "type"}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif wanted.get("type") != "text":
        chat["response_format"] = wanted
    return wanted


def _messages(instructions: Any, given: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if instructions is not None:
        if not isinstance(instructions, str):
            raise RequestError("`instructions` must be a string.", param="instructions", code="invalid_type")
        messages.append({"role": "system", "content": instructions})
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    if not isinstance(given, list):
        message = "`input` must be a string or a list of messages."
        raise RequestError(message, param="input", code="invalid_type")
    if not given:
        raise RequestError("`input` is empty: say something first.", param="input")
    return messages + [_message(item, f"input[{place}]") for place, item in enumerate(given)]


def _message(item: Any, where: str) -> dict[str, Any]:
    """An item as a message of a chat request, whose types and role are right."""
    if not isinstance(item, dict):
        raise RequestError(f"`{where}` must be an object.", param=where, code="invalid_type")
    kind, role, name = item.get("type", "message"), item.get("role"), item.get("name")
    if kind == "item_reference":
        message = f"`{where}` refers to a stored item, and none are stored here: send the item itself."
        raise RequestError(message, param=where, code="unsupported_value")
    if kind != "message":
        message = f"Personas read messages; `{where}` is {kind if isinstance(kind, str) else 'something else'}."
        raise RequestError(message, param=where, code="unsupported_value")
    if role not in ("user", "assistant", "system", "developer"):
        message = f"`{where}.role` must be user, assistant, system or developer."
        raise RequestError(message, param=f"{where}.role", code="invalid_value")
    if name is not None and not isinstance(name, str):
        raise RequestError(f"`{where}.name` must be a string.", param=f"{where}.name", code="invalid_type")
    return {"role": role, "name": name, "content": text_of(item.get("content"), f"{where}.content")}
