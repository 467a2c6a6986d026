"""Long chats are cut at turn borders, oldest first, as the real tokenizer counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona.template import Turn, render
from server.envelope import RequestError
from server.window import newest_that_fit, room_for_reply
from tests.endpoints import SAMPLE_CAST, start_endpoint

CONTEXT = 512


async def words(prompt: str) -> int:
    """A tokenizer whose tokens are longer than a byte."""
    return len(prompt.split())


def turn(role: str, length: int) -> Turn:
    return Turn(role=role, content="word " * length + "end")


@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 30)), min_size=1, max_size=40),
    st.booleans(),
    st.integers(1, 400),
)
async def test_no_turn_more_is_dropped_than_must_be(talk: list[tuple[str, int]], in_context: bool, budget: int) -> None:
    head = [turn("system", 3)] if in_context else []
    turns = [*head, *(turn(*one) for one in talk)]

    async def fits(dropped: int) -> bool:
        return await words(render([*head, *turns[len(head) + dropped :]], "P")) <= budget

    fitting = [dropped for dropped in range(len(talk)) if await fits(dropped)]
    if not fitting:
        with pytest.raises(RequestError) as refused:
            await newest_that_fit(turns, "P", budget, words)
        assert refused.value.code == "context_length_exceeded"
        return
    kept, tokens = await newest_that_fit(turns, "P", budget, words)
    assert kept == [*head, *turns[len(head) + fitting[0] :]]
    assert await words(render(kept, "P")) <= max(tokens, budget)


async def test_a_long_history_is_counted_few_times_and_never_whole() -> None:
    counted: list[int] = []

    async def counting(prompt: str) -> int:
        counted.append(await words(prompt))
        return counted[-1]

    turns = [turn("AB"[place % 2], 20) for place in range(20_000)]
    kept, _ = await newest_that_fit(turns, "P", 1000, counting)
    assert len(kept) > 20
    assert len(counted) < 15
    assert max(counted) < 10_000


@pytest.mark.parametrize(("max_tokens", "room"), [(None, 256), (100, 100), (4000, 4000), (8000, 4096)])
def test_room_is_kept_for_the_reply(max_tokens: int | None, room: int) -> None:
    assert room_for_reply(max_tokens, 8192) == room


@pytest.fixture(scope="module")
def client(models_only: Path) -> Iterator[httpx.Client]:
    arguments = ("--engine", "llamacpp", "--context", str(CONTEXT), "--personas", str(SAMPLE_CAST))
    process, url = start_endpoint(*arguments, "--data", str(models_only))
    with httpx.Client(base_url=url, timeout=180) as client:
        yield client
    process.terminate()
    assert process.wait(30) == 0


def chat(exchanges: int) -> list[dict[str, str]]:
    talk = [{"role": "system", "content": "late at night"}]
    for number in range(exchanges):
        talk.append({"role": "user", "content": f"was the soup number {number} any good, and who ate it?"})
        talk.append({"role": "assistant", "content": f"soup {number} was fine, seven out of ten"})
    return [*talk, {"role": "user", "content": "and now?"}]


def ask(client: httpx.Client, messages: list[dict[str, str]], **more: Any) -> httpx.Response:
    return client.post("/chat/completions", json={"model": "milo", "messages": messages, **more})


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True])
def test_a_long_chat_is_answered_and_says_what_it_left_out(client: httpx.Client, stream: bool) -> None:
    response = ask(client, chat(60), max_tokens=8, stream=stream)
    assert response.status_code == 200, response.text
    assert 60 < int(response.headers["x-greenroom-turns-dropped"]) < 121


@pytest.mark.slow
def test_as_much_as_fits_is_kept_and_the_reply_has_its_room(client: httpx.Client) -> None:
    usage = ask(client, chat(60), max_tokens=100, ignore_eos=True).json()["usage"]
    assert usage["completion_tokens"] == 100
    assert CONTEXT - 100 - 60 < usage["prompt_tokens"] <= CONTEXT - 100


@pytest.mark.slow
def test_more_than_the_context_can_be_asked_for(client: httpx.Client) -> None:
    answer = ask(client, chat(1), max_tokens=100_000, ignore_eos=True).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert CONTEXT - 32 <= answer["usage"]["total_tokens"] <= CONTEXT


def test_a_short_chat_says_nothing_of_it(client: httpx.Client) -> None:
    assert "x-greenroom-turns-dropped" not in ask(client, chat(1), max_tokens=4).headers


def test_one_message_longer_than_the_context_is_refused_by_name(client: httpx.Client) -> None:
    response = ask(client, [*chat(2), {"role": "user", "content": "word " * 600}])
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")
