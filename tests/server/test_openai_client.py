"""The `openai` package, pointed at the endpoint and otherwise as its manual shows it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from server.envelope import RequestError
from server.layer import PersonaLayer
from server.roster import Roster

MILO = "milo"


@pytest.fixture
def client(endpoint: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=endpoint, api_key="none needed", max_retries=0)


def test_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MILO, messages=[{"role": "user", "content": "hey, what's up?"}])
    assert answer.model == MILO
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0


def test_stream(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MILO,
        messages=[{"role": "user", "content": "hey", "name": "Pip Sandacre"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert chunks[-1].usage is not None


async def test_async(endpoint: str) -> None:
    async with openai.AsyncOpenAI(base_url=endpoint, api_key="none needed") as client:
        answer = await client.chat.completions.create(
            model=MILO, messages=[{"role": "user", "content": "hey"}], max_completion_tokens=8
        )
    assert answer.choices[0].message.content


def test_models(client: openai.OpenAI) -> None:
    assert MILO in [model.id for model in client.models.list()]
    assert client.models.retrieve(MILO).owned_by == "greenroom"


def test_errors_arrive_as_the_packages_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.chat.completions.create(model="nobody", messages=[{"role": "user", "content": "hey"}])
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=MILO, messages=[], temperature=0.5)
    assert refused.value.param == "messages"


async def test_an_error_within_a_stream_is_raised_by_the_package(roster: Roster) -> None:
    async def lines() -> AsyncIterator[bytes]:
        yield b'data: {"choices":[{"index":0,"delta":{"content":"he"},"finish_reason":null}]}\n\n'
        yield b"data: %s\n\ndata: [DONE]\n\n" % RequestError("out of memory", status=500).body()

    async def engine(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(lines(), media_type="text/event-stream")(scope, receive, send)

    # Newer versions of the package are typed for another httpx, and take this one.
    http: Any = httpx.AsyncClient(transport=httpx.ASGITransport(PersonaLayer(engine, roster)))
    async with openai.AsyncOpenAI(base_url="http://endpoint/v1", api_key="none needed", http_client=http) as client:
        stream = await client.chat.completions.create(
            model="john", messages=[{"role": "user", "content": "hey"}], stream=True
        )
        assert (await anext(stream)).choices[0].delta.content == "he"
        with pytest.raises(openai.APIError, match="out of memory"):
            await anext(stream)
