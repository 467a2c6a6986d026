"""The persona layer, with an engine that only records what it is given (the real ones have tests of their own)."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from persona.card import Card, Context, write_card
from server.layer import MAX_BODY_BYTES, PersonaLayer
from server.roster import Roster


class Recorder:
    """Stands in for an engine to show the request that one would get."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        if scope["method"] == "POST":
            message = await receive()
            assert int(dict(scope["headers"])[b"content-length"]) == len(message["body"])
            self.requests.append(json.loads(message["body"]))
        await JSONResponse({"ok": True})(scope, receive, send)


@pytest.fixture
def engine() -> Recorder:
    return Recorder()


@pytest.fixture
def client(engine: Recorder, roster: Roster) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(PersonaLayer(engine, roster))
    return httpx.AsyncClient(transport=transport, base_url="http://endpoint")


async def ask(client: httpx.AsyncClient, **request: Any) -> httpx.Response:
    body = {"model": "john", "messages": [{"role": "user", "content": "hey"}], **request}
    return await client.post("/v1/chat/completions", json=body)


async def test_the_engine_gets_turns_the_speaker_and_the_personas_sampling(
    client: httpx.AsyncClient, engine: Recorder
) -> None:
    assert (await ask(client, temperature=0.9, stop="!")).status_code == 200
    (request,) = engine.requests
    assert request["messages"] == [{"role": "Ann Lee", "content": "hey"}]
    assert request["chat_template_kwargs"] == {"speaker": "John Smith"}
    assert request["temperature"] == 0.9
    assert request["repetition_penalty"] == 1.1
    assert request["stop"] == ["!", "<|im_end|>"]


async def test_the_context_turn_is_made_by_the_servers_clock(engine: Recorder, tmp_path: Path) -> None:
    write_card(tmp_path / "in-context" / "john", Card(speaker="John", base="b", owner="Ann", context=Context("sms")))
    layer = PersonaLayer(engine, Roster([tmp_path / "in-context"]), clock=lambda: datetime(2024, 1, 2, 0, 1))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(layer), base_url="http://endpoint") as client:
        await ask(client)
    assert engine.requests[0]["messages"][0] == {"role": "system", "content": "Ann, John · SMS · Tuesday 0h"}


async def test_a_request_cannot_choose_whose_reply_is_opened(client: httpx.AsyncClient, engine: Recorder) -> None:
    await ask(client, chat_template_kwargs={"speaker": "Ann Lee"})
    assert engine.requests[0]["chat_template_kwargs"] == {"speaker": "John Smith"}


@pytest.mark.parametrize(
    "name",
    ["lora", "chat_template", "add_generation_prompt", "id_slot", "documents", "grammar", "cache_salt", "prompt"],
)
async def test_an_engines_own_switches_are_out_of_reach(client: httpx.AsyncClient, engine: Recorder, name: str) -> None:
    response = await ask(client, **{name: "x"})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == name
    assert not engine.requests


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("temperature", "hot"), ("temperature", 3), ("temperature", True), ("top_p", -1), ("n", 0), ("n", 1.5),
        ("max_tokens", 0), ("seed", "1"), ("stream", "yes"), ("stop", [1]), ("stop", 5), ("logit_bias", []),
        ("logit_bias", {"x": 1}), ("logit_bias", {"5": 1000}), ("stream_options", {"include_usage": True}),
        ("tools", [{"type": "function"}]), ("response_format", "json"), ("top_logprobs", 21),
    ],
)  # fmt: skip
async def test_a_wrong_value_gets_an_error_that_names_the_parameter(
    client: httpx.AsyncClient, engine: Recorder, parameter: str, value: Any
) -> None:
    response = await ask(client, **{parameter: value})
    error = response.json()["error"]
    assert response.status_code == 400
    assert error["type"] == "invalid_request_error"
    assert error["param"] == parameter
    assert not engine.requests


async def test_what_clients_send_out_of_habit_is_accepted(client: httpx.AsyncClient, engine: Recorder) -> None:
    habits = {
        "user": "u", "metadata": {}, "store": False, "tools": [], "tool_choice": "auto", "parallel_tool_calls": True,
        "temperature": None, "service_tier": "auto", "reasoning_effort": "low", "max_completion_tokens": 7,
    }  # fmt: skip
    assert (await ask(client, **habits)).status_code == 200
    assert engine.requests[0]["max_tokens"] == 7


async def test_the_list_of_models_is_the_personas_without_paths(client: httpx.AsyncClient, cast: Any) -> None:
    listed = (await client.get("/v1/models")).json()
    assert [model["id"] for model in listed["data"]] == ["ann", "john"]
    assert listed["data"][1]["greenroom"]["speaker"] == "John Smith"
    assert str(cast) not in json.dumps(listed)
    one = (await client.get("/v1/models/john")).json()
    assert one == listed["data"][1]


@pytest.mark.parametrize("model", ["nobody", "../john", "john/adapter", "", "JOHN"])
async def test_an_unknown_persona_is_not_found(client: httpx.AsyncClient, model: str) -> None:
    response = await ask(client, model=model)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
    assert "john" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff\xfe", b'{"model": "john", "messages": "\\ud800"}', b"[" * 100_000]
)
async def test_a_body_that_is_no_request_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/v1/chat/completions", content=body)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


async def test_a_body_without_end_is_cut_off(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/chat/completions", content=b" " * (MAX_BODY_BYTES + 1))
    assert response.status_code == 413


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/messages",
        "/invocations",
        "/tokenize",
        "/pause",
        "/v1/load_lora_adapter",
        "/slots",
        "/lora-adapters",
    ],
)
async def test_other_routes_of_an_engine_are_out_of_reach(
    client: httpx.AsyncClient, engine: Recorder, path: str
) -> None:
    for method in ("GET", "POST"):
        response = await client.request(method, path)
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "not_found"
    assert not engine.paths


async def test_the_wrong_method_says_the_right_one(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/chat/completions")
    assert response.status_code == 405
    assert "POST" in response.json()["error"]["message"]
