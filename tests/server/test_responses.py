"""The Responses API, with the `openai` package as its manual shows it, and what an engine's failure looks like in it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response
from pydantic import SecretStr
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from server.layer import PersonaLayer
from server.roster import Roster


@pytest.fixture(scope="module")
def client(endpoint: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=endpoint, api_key="none needed", max_retries=0)


def create(client: openai.OpenAI, **more: Any) -> Response:
    request = {"model": "milo", "input": "hey", "temperature": 0, "max_output_tokens": 12, **more}
    answer = client.responses.create(**request)
    assert isinstance(answer, Response)
    return answer


def test_a_string_is_answered(client: openai.OpenAI) -> None:
    answer = client.responses.create(model="milo", input="hey")
    assert answer.output_text
    assert answer.model == "milo"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


def test_it_says_what_the_chat_says(client: openai.OpenAI) -> None:
    talk: Any = [
        {"role": "system", "content": "The boat is green."},
        {"role": "user", "content": "is the boat ready?", "name": "Pip_Sandacre"},
        {"role": "assistant", "content": "almost"},
        {"role": "user", "content": [{"type": "text", "text": "and the oars?"}]},
    ]
    chat = client.chat.completions.create(model="milo", messages=talk, temperature=0, max_tokens=12)
    items: Any = [
        {"type": "message", "role": "user", "content": "is the boat ready?", "name": "Pip_Sandacre"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "almost"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "and the oars?"}]},
    ]
    answer = create(client, instructions="The boat is green.", input=items)
    assert answer.output_text == chat.choices[0].message.content
    assert answer.instructions == "The boat is green."


def test_a_conversation_goes_on_with_the_output_it_got(client: openai.OpenAI) -> None:
    first = create(client)
    talk: Any = [{"role": "user", "content": "hey"}, *first.output, {"role": "user", "content": "why?"}]
    assert create(client, input=talk).output_text


def test_a_stream_has_openais_events_in_their_order(client: openai.OpenAI) -> None:
    whole = create(client)
    stream = client.responses.create(model="milo", input="hey", temperature=0, max_output_tokens=12, stream=True)
    events = list(stream)
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
    ]  # fmt: skip
    assert kinds[-4:-1] == ["response.output_text.done", "response.content_part.done", "response.output_item.done"]
    assert set(kinds[4:-4]) == {"response.output_text.delta"}
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = events[-1]
    assert last.type in ("response.completed", "response.incomplete")
    assert last.type == f"response.{whole.status}"
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert deltas == last.response.output_text == whole.output_text
    assert last.response.usage is not None
    assert whole.usage is not None
    assert last.response.usage.output_tokens == whole.usage.output_tokens


def test_the_packages_own_stream_helper_takes_it(client: openai.OpenAI) -> None:
    with client.responses.stream(model="milo", input="hey", temperature=0) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text


async def test_async(endpoint: str) -> None:
    async with openai.AsyncOpenAI(base_url=endpoint, api_key="none needed") as client:
        assert (await client.responses.create(model="milo", input="hey", max_output_tokens=8)).output_text


def test_langchain_speaks_it_too(endpoint: str) -> None:
    from langchain_openai import ChatOpenAI  # seconds to load

    key = SecretStr("none needed")
    milo = ChatOpenAI(
        model="milo", base_url=endpoint, api_key=key, use_responses_api=True, max_retries=0, temperature=0
    )
    assert milo.invoke("hey").text
    assert "".join(chunk.text for chunk in milo.stream("hey"))


def test_a_reply_that_is_cut_off_is_incomplete(client: openai.OpenAI) -> None:
    answer = create(client, max_output_tokens=3, extra_body={"ignore_eos": True})
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3


def test_what_was_sent_is_in_the_answer(client: openai.OpenAI) -> None:
    answer = create(client, metadata={"chat": "7"}, top_p=0.5, user="u", truncation="disabled")
    assert (answer.metadata, answer.top_p, answer.temperature) == ({"chat": "7"}, 0.5, 0)
    assert (answer.user, answer.truncation, answer.max_output_tokens) == ("u", "disabled", 12)


def test_log_probabilities_on_request(client: openai.OpenAI) -> None:
    answer = create(client, include=["message.output_text.logprobs"], top_logprobs=2, max_output_tokens=3)
    message = answer.output[0]
    assert message.type == "message"
    part = message.content[0]
    assert part.type == "output_text"
    assert part.logprobs is not None
    assert "".join(token.token for token in part.logprobs) == answer.output_text
    assert [len(token.top_logprobs) for token in part.logprobs] == [2] * len(part.logprobs)


def test_json_that_keeps_to_a_schema(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"boat": {"enum": ["green", "blue"]}},
        "required": ["boat"],
        "additionalProperties": False,
    }
    wanted: Any = {"format": {"type": "json_schema", "name": "boat", "schema": schema, "strict": True}}
    answer = create(client, input="green or blue?", text=wanted, max_output_tokens=40)
    assert json.loads(answer.output_text)["boat"] in ("green", "blue")


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("previous_response_id", "resp_1"), ("conversation", "conv_1"), ("background", True), ("prompt", {"id": "p"}),
        ("tools", [{"type": "web_search"}]), ("tool_choice", "required"), ("truncation", "middle"), ("input", 5),
        ("input", []), ("input", None), ("input[0]", [{"type": "item_reference", "id": "msg_1"}]),
        ("input[1]", [{"role": "user", "content": "x"}, {"type": "function_call_output", "call_id": "c", "output": ""}]),
        ("input[0].role", [{"role": "tool", "content": "x"}]),
        ("input[0].content[0]", [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]),
        ("instructions", 5), ("max_output_tokens", 0), ("max_output_tokens", "12"), ("temperature", 3),
        ("top_logprobs", 2), ("include", ["everything"]), ("text", "json"), ("text.verbosity", {"verbosity": "high"}),
        ("response_format.type", {"format": {"type": "grammar"}}), ("messages", []), ("max_tokens", 5), ("lora", []),
        ("metadata", []), ("stream_options", {"include_usage": True}),
    ],
)  # fmt: skip
async def test_what_is_not_here_is_refused_by_name(roster: Roster, param: str, value: Any) -> None:
    names = {"text.verbosity": "text", "response_format.type": "text"}
    name = names.get(param, param.partition("[")[0])
    async with asking(PersonaLayer(no_engine, roster)) as client:
        answer = await client.post("/v1/responses", json={"model": "john", "input": "hey", name: value})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)


@pytest.mark.parametrize("path", ["/v1/responses/resp_1", "/v1/responses/resp_1/input_items"])
async def test_responses_are_not_kept(roster: Roster, path: str) -> None:
    async with asking(PersonaLayer(no_engine, roster)) as client:
        answer = await client.get(path)
    assert answer.status_code == 404
    assert "not kept" in answer.json()["error"]["message"]


def test_an_unknown_persona_is_the_packages_own_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.responses.create(model="nobody", input="hey")


def test_a_conversation_that_must_not_be_cut_is_refused(client: openai.OpenAI) -> None:
    talk: Any = [{"role": role, "content": "word " * 800} for _ in range(6) for role in ("user", "assistant")]
    with pytest.raises(openai.BadRequestError, match="truncation"):
        create(client, input=talk, truncation="disabled")


def asking(app: PersonaLayer) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://endpoint")


async def no_engine(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("the engine was asked")


@pytest.mark.parametrize("last", ['{"error":{"message":"out of memory","code":null}}', None])
async def test_an_engine_that_fails_on_the_way_ends_the_stream_as_failed(roster: Roster, last: str | None) -> None:
    def chunk(delta: dict[str, str]) -> str:
        return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})

    async def lines() -> AsyncIterator[str]:
        for line in filter(None, [chunk({"role": "assistant"}), chunk({"content": "hey"}), last, "[DONE]"]):
            yield f"data: {line}\n\n"

    async def engine(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(lines(), media_type="text/event-stream")(scope, receive, send)

    async with asking(PersonaLayer(engine, roster)) as client:
        answer = await client.post("/v1/responses", json={"model": "john", "input": "hey", "stream": True})
    events = [json.loads(event.partition("data: ")[2]) for event in answer.text.strip().split("\n\n")]
    assert [event["type"] for event in events[-3:]] == ["response.output_text.delta", "error", "response.failed"]
    failed = events[-1]["response"]
    assert failed["status"] == "failed"
    assert failed["error"]["message"] == events[-2]["message"]
    assert failed["output"][0]["content"][0]["text"] == "hey"
