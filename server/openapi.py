"""The endpoint's own description: OpenAPI for programs, and one plain page for people that loads nothing else."""

from __future__ import annotations

from html import escape
from typing import Any

from server.parameters import BOOLEANS, HONOURED, Parameter, Route, honoured
from server.responses import INCLUDABLE

_TEXT: dict[str, Any] = {"type": "string"}
_MESSAGE: dict[str, Any] = {
    "type": "object",
    "required": ["role"],
    "properties": {
        "role": {"enum": ["system", "developer", "user", "assistant"], "type": "string"},
        "name": {"type": "string", "description": "Who spoke, where it is not the interlocutor."},
        "content": {
            "anyOf": [
                _TEXT,
                {"type": "null"},
                {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["type", "text"],
                        "properties": {"type": {"enum": ["text", "input_text"]}, "text": _TEXT},
                    },
                },
            ]
        },
    },
}
# A message of the Responses API.
_ITEM: dict[str, Any] = {
    **_MESSAGE,
    "properties": {**_MESSAGE["properties"], "type": {"enum": ["message"], "type": "string"}},
}
_RESPONSE: dict[str, Any] = {
    "truncation": {"enum": ["auto", "disabled"], "type": "string"},
    "include": {"type": "array", "items": {"enum": sorted(INCLUDABLE), "type": "string"}},
    "text": {"type": "object", "properties": {"format": {"type": "object"}}},
    "stream_options": {"type": "object", "properties": {"include_obfuscation": {"enum": [False]}}},
}
_OTHER: dict[str, dict[str, Any]] = {
    "stop": {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "maxItems": 16}]},
    "stream_options": {"type": "object", "properties": {"include_usage": {"type": "boolean"}}},
    "logit_bias": {"type": "object", "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100}},
    "response_format": {"type": "object", "properties": {"type": {"enum": ["text", "json_object", "json_schema"]}}},
    "bad_words": {"type": "array", "items": _TEXT, "maxItems": 256},
}
_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"message": _TEXT, "type": _TEXT, "param": {}, "code": {}},
        }
    },
}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    if parameter.name in _OTHER:
        return _OTHER[parameter.name]
    if parameter.limits is None:
        assert parameter.name in BOOLEANS, parameter.name
        return {"type": "boolean"}
    kind, least, most = parameter.limits
    limits = {"minimum": least} if most is None else {"minimum": least, "maximum": most}
    return {"type": "integer" if kind is int else "number", **limits}


def _operation(summary: str, body: dict[str, Any] | None = None, kind: str = "application/json") -> dict[str, Any]:
    answers: dict[str, Any] = {
        "200": {"description": "Answered.", "content": {kind: {}}},
        "default": {"description": "An error.", "content": {"application/json": {"schema": _ERROR}}},
    }
    if body is None:
        return {"summary": summary, "responses": answers}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": answers,
    }


def _body(route: Route, what: dict[str, Any], vllm: bool) -> dict[str, Any]:
    parameters = {one.name: _parameter(one) for one in HONOURED if one.name in honoured(route, vllm=vllm)}
    return {
        "type": "object",
        "required": ["model", *what],
        "properties": {"model": _TEXT, **what, **dict(sorted(parameters.items()))},
    }


def description(*, vllm: bool = False) -> dict[str, Any]:
    """The OpenAPI document: the routes, and the parameters as `server.parameters` checks them for the engine."""
    chat = _body("chat", {"messages": {"type": "array", "items": _MESSAGE, "minItems": 1}}, vllm)
    completion = _body("completions", {"prompt": _TEXT}, vllm)
    completion["properties"]["logprobs"] = {"type": "integer", "minimum": 0, "maximum": 5}
    response = _body("responses", {"input": {"anyOf": [_TEXT, {"type": "array", "items": _ITEM, "minItems": 1}]}}, vllm)
    response["properties"] |= {"instructions": _TEXT, "metadata": {"type": "object"}, **_RESPONSE}
    one = _operation("One persona.")
    one["parameters"] = [{"name": "model", "in": "path", "required": True, "schema": _TEXT}]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Greenroom", "version": "1", "description": "Personas behind an OpenAI-compatible API."},
        "paths": {
            "/v1/models": {"get": _operation("The personas, and those that are broken.")},
            "/v1/models/{model}": {"get": one},
            "/v1/chat/completions": {"post": _operation("The persona's next turn, plain or streamed.", chat)},
            "/v1/completions": {"post": _operation("A raw text, gone on in the persona's adapter.", completion)},
            "/v1/responses": {"post": _operation("The persona's next turn, as OpenAI's Responses API.", response)},
            "/v1/embeddings": {"post": _operation("Always an error: personas have no embeddings.", {"type": "object"})},
            "/health": {"get": _operation("200 when the endpoint answers.")},
            "/metrics": {"get": _operation("Numbers by persona, for Prometheus.", kind="text/plain")},
        },
    }


def page(*, vllm: bool = False) -> str:
    """The same as HTML, without a script or anything from elsewhere."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Greenroom's API</title><style>"
        "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
        "code{background:#8882;padding:.1em .3em}td{padding:.1rem 1rem .1rem 0;vertical-align:top}</style>"
        '<h1>Greenroom\'s API</h1><p>For programs: <a href="/openapi.json">openapi.json</a>.</p>'
    ]
    for path, operations in description(vllm=vllm)["paths"].items():
        for method, operation in operations.items():
            parts.append(f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation['summary'])}</p>")
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            rows = [_row(name, schema, name in body["required"]) for name, schema in body.get("properties", {}).items()]
            parts.append(f"<table>{''.join(rows)}</table>")
    return "".join(parts)


def _row(name: str, schema: dict[str, Any], required: bool) -> str:
    kind = schema.get("type", " or ".join(one.get("type", "") for one in schema.get("anyOf", [])))
    limits = "".join(
        f", {word} {schema[key]}" for word, key in (("from", "minimum"), ("to", "maximum")) if key in schema
    )
    return f"<tr><td><code>{name}</code><td>{kind}{limits}<td>{'required' if required else ''}</tr>"
