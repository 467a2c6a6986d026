"""Five hundred requests to five personas, four adapters in memory, mixed, streamed and cancelled: never another's voice."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.endpoints import SAMPLE_CAST, start_endpoint

CAST = ("beatrix", "juno", "lev", "milo", "pip")
REQUESTS = 500
TOKENS = 8


@pytest.fixture(scope="module")
def client(models_only: Path) -> Iterator[httpx.Client]:
    # One thread: on a busy machine two wait for each other by turning.
    arguments = ("--engine", "llamacpp", "--threads", "1", "--context", "2048", "--max-loaded", "4")
    process, url = start_endpoint(*arguments, "--personas", str(SAMPLE_CAST), "--data", str(models_only))
    with httpx.Client(base_url=url, timeout=600, limits=httpx.Limits(max_connections=32)) as client:
        yield client
    process.terminate()
    assert process.wait(60) == 0


def body(model: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "hey, what's up?", "name": "Juno Farrowby"}]
    return {"model": model, "messages": messages, "temperature": 0, "max_tokens": TOKENS, **more}


def whole(client: httpx.Client, model: str) -> str:
    answer = client.post("/chat/completions", json=body(model)).json()
    assert answer["model"] == model
    text: str = answer["choices"][0]["message"]["content"]
    return text


def streamed(client: httpx.Client, model: str, chunks: int | None = None) -> str:
    """The text of a streamed reply; hangs up after so many `chunks`."""
    text = ""
    with client.stream("POST", "/chat/completions", json=body(model, stream=True)) as answer:
        for number, line in enumerate(line[6:] for line in answer.iter_lines() if line):
            if line == "[DONE]" or number == chunks:
                break
            chunk = json.loads(line)
            assert chunk["model"] == model
            text += chunk["choices"][0]["delta"].get("content") or ""
    return text


@pytest.mark.slow
def test_a_persona_says_under_load_what_it_says_alone(client: httpx.Client) -> None:
    alone = {model: whole(client, model) for model in CAST}
    assert len(set(alone.values())) == len(CAST), "the personas must differ for this to mean anything"
    chance = random.Random(7)
    plan = [(chance.choice(CAST), chance.choice(("whole", "streamed", "cancelled"))) for _ in range(REQUESTS)]

    def ask(one: tuple[str, str]) -> str:
        model, how = one
        if how == "whole":
            return whole(client, model)
        return streamed(client, model, chunks=3 if how == "cancelled" else None)

    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(ask, plan))
    # Batches of other sizes round differently, and a near tie can then fall the other way; another's voice cannot.
    wrong = [
        (model, text)
        for (model, _), text in zip(plan, said, strict=True)
        if any(alike(alone[other], text) > alike(alone[model], text) for other in CAST)
    ]
    assert not wrong
    # A stream cut off by `max_tokens` ends without the space that llama.cpp gives in a whole reply.
    as_alone = [alone[model].startswith(text.rstrip()) for (model, _), text in zip(plan, said, strict=True)]
    assert sum(as_alone) >= 0.8 * REQUESTS


def alike(one: str, other: str) -> int:
    """Letters that both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
