"""`response_format`: text, any JSON object, or JSON that a schema describes.

A schema is looked at here, since llama.cpp goes on without one that it cannot use. llguidance is what it holds
replies to a schema with, and one of those that vLLM has.
"""

from __future__ import annotations

import re
from typing import Any

import llguidance
import msgspec

from server.envelope import RequestError

ANY_OBJECT: dict[str, Any] = {"type": "object"}
MAX_SCHEMA_CHARS = 64 * 1024


def json_schema(response_format: Any) -> dict[str, Any] | None:
    """The schema that a reply must keep to, or None where it is any text.

    Raises:
        RequestError: it is no `response_format`, or its schema cannot be kept to.
    """
    kind = response_format.get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        return ANY_OBJECT
    if kind != "json_schema":
        message = "`response_format.type` must be text, json_object or json_schema."
        raise RequestError(message, param="response_format.type", code="invalid_value")
    described = response_format.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(schema, dict):
        message = "`response_format.json_schema.schema` must be an object."
        raise RequestError(message, param="response_format", code="invalid_value")
    written = grammar(schema)
    if len(written) > MAX_SCHEMA_CHARS:
        message = f"`response_format` has a schema of more than {MAX_SCHEMA_CHARS >> 10} KiB."
        raise RequestError(message, param="response_format", code="invalid_value")
    wrong = llguidance.LLMatcher.validate_grammar(written, None)
    if wrong:
        # Its first line is the reason; the others show the grammar that was made of the schema.
        reason = re.sub(r"^at \d+\(\d+\): (failed to compile JSON schema: )?", "", wrong).partition("\n")[0]
        message = f"No reply can be held to this schema: {reason.rstrip('.:')}."
        raise RequestError(message, param="response_format", code="invalid_value")
    return schema


def grammar(schema: dict[str, Any]) -> str:
    """`schema` as llguidance's grammar, which llama.cpp takes as one of its own."""
    # A small model pads where it may: without this, blanks between a key and its value can go on to the end.
    written = {**schema, "x-guidance": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}}
    return "%llguidance {}\nstart: %json " + msgspec.json.encode(written).decode()
