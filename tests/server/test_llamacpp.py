"""The endpoint as a person starts it: a process, llama.cpp, the real base model and the sample cast's adapters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

CAST = ("beatrix", "juno", "lev", "milo", "pip")
OPENERS = (
    "hey, what's up?", "how are you?", "what are you doing?", "are you coming to soup on sunday?",
    "green or blue for the boat?", "did you sleep well?", "where is the duck?", "what should we eat?",
)  # fmt: skip


@pytest.fixture(scope="module")
def client(endpoint: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=endpoint, timeout=180) as client:
        yield client


def request(model: str, text: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text, "name": "Juno Farrowby"}]
    return {"model": model, "messages": messages, "temperature": 0, "max_tokens": 40, **more}


def reply(client: httpx.Client, model: str, text: str, **more: Any) -> str:
    response = client.post("/chat/completions", json=request(model, text, **more))
    assert response.status_code == 200, response.text
    content: str = response.json()["choices"][0]["message"]["content"]
    return content


def events(client: httpx.Client, body: dict[str, Any]) -> list[dict[str, Any]]:
    with client.stream("POST", "/chat/completions", json={**body, "stream": True}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def test_the_cast_is_listed(client: httpx.Client) -> None:
    assert tuple(model["id"] for model in client.get("/models").json()["data"]) == CAST


def test_a_plain_reply_is_an_openai_completion_in_the_personas_name(client: httpx.Client) -> None:
    answer = client.post("/chat/completions", json=request(CAST[3], "hey")).json()
    assert answer["object"] == "chat.completion"
    assert answer["model"] == CAST[3]
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert answer["choices"][0]["message"]["content"].strip()
    assert answer["choices"][0]["finish_reason"] in ("stop", "length")
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert "/" not in json.dumps({key: answer[key] for key in answer if key != "choices"})


def test_a_streamed_reply_says_the_same_and_ends_with_its_usage(client: httpx.Client) -> None:
    body = request(CAST[3], "what are you doing?", stream_options={"include_usage": True})
    chunks = events(client, body)
    assert {chunk["model"] for chunk in chunks} == {CAST[3]}
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] > 0
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks[:-1])
    assert text == reply(client, CAST[3], "what are you doing?")


@pytest.mark.slow
def test_nobody_could_mix_up_the_voices(client: httpx.Client) -> None:
    said = {model: [reply(client, model, opener) for opener in OPENERS] for model in CAST}

    def share(model: str, pattern: str) -> float:
        return sum(bool(re.search(pattern, text)) for text in said[model]) / len(OPENERS)

    emoji = "[\U0001f300-\U0001faff\u2600-\u27bf]|\\[voice message\\]|\\[sticker|\\[photo\\]"
    assert share("milo", "[A-Z]") <= 0.25
    assert share("beatrix", r"[.?]$") >= 0.75
    assert share("lev", "[а-яё]") >= 0.75
    assert share("pip", emoji) >= 0.75
    others = [model for model in CAST if model not in ("pip", "lev")]
    assert all(share(model, emoji) <= 0.25 and share(model, "[а-яё]") <= 0.25 for model in others)


@pytest.mark.slow
def test_personas_under_way_at_once_answer_as_they_do_alone(client: httpx.Client) -> None:
    questions = [(model, opener) for opener in OPENERS[:3] for model in CAST]
    alone = [reply(client, *question, max_tokens=16) for question in questions]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda question: reply(client, *question, max_tokens=16), questions))
    same = sum(a == b for a, b in zip(alone, together, strict=True))
    # Batches of other sizes round differently, and a near tie can then fall the other way; another's voice cannot.
    assert same >= len(questions) - 3


def test_a_client_that_leaves_frees_its_slot(client: httpx.Client) -> None:
    endless = request(CAST[0], "tell me everything", max_tokens=4000, ignore_eos=True, stream=True)
    for _ in range(8):  # twice the slots: were they not freed, the last question would wait for minutes
        with client.stream("POST", "/chat/completions", json=endless) as response:
            next(response.iter_bytes())
    assert client.post("/chat/completions", json=request(CAST[1], "hey", max_tokens=4), timeout=60).status_code == 200


def test_a_conversation_that_does_not_fit_says_so(client: httpx.Client) -> None:
    response = client.post("/chat/completions", json=request(CAST[0], "word " * 9000))
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"


def test_several_choices_and_logprobs_are_the_engines_own(client: httpx.Client) -> None:
    body = request(CAST[3], "hey", n=2, logprobs=True, top_logprobs=2, temperature=1, max_tokens=4)
    answer = client.post("/chat/completions", json=body).json()
    assert [choice["index"] for choice in answer["choices"]] == [0, 1]
    assert len(answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]) == 2
