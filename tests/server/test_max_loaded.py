"""More personas than there is memory for, and whole replies as the engine gives them: the engine without a network."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import pytest_asyncio

from persona.bases import SMOLLM2
from persona.card import Card, load_personas, write_card
from server.engines.llamacpp import LlamaCpp
from server.engines.llamacpp_server import LlamaServer, Shape
from tests.endpoints import SAMPLE_CAST, answered

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
CAST = ("beatrix", "juno", "lev", "milo", "pip")
MANY, MAX_LOADED = 50, 4


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty personas, each with an adapter file of its own."""
    folder = tmp_path_factory.mktemp("crowd")
    for number in range(MANY):
        persona = folder / f"{CAST[number % len(CAST)]}-{number}"
        shutil.copytree(SAMPLE_CAST / CAST[number % len(CAST)], persona, copy_function=os.link)
        config = persona / "adapter" / "adapter_config.json"
        text = config.read_text()
        config.unlink()
        config.write_text(text + "\n" * number)  # the same adapter, and another file by its hash
    write_card(folder / "plain", Card(speaker="Plain", base=SMOLLM2.name))
    return folder


@pytest.fixture(scope="module")
def engine(crowd: Path, models_only: Path) -> Iterator[LlamaCpp]:
    engine = LlamaCpp(load_personas(crowd)[0], models_only, context=1024, slots=2, threads=1, max_loaded=MAX_LOADED)
    assert not engine.broken
    yield engine
    engine.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(engine: LlamaCpp) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(engine), base_url="http://engine/v1") as client:
        yield client


def request(engine: LlamaCpp, model: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "Juno Farrowby", "content": "hey, what's up?"}]
    told = {"chat_template_kwargs": {"speaker": model.partition("-")[0].title()}, "add_generation_prompt": True}
    return {"model": model, "messages": messages, **told, "temperature": 0, "max_tokens": 8, **more}


async def said(client: httpx.AsyncClient, engine: LlamaCpp, model: str) -> str:
    answer = await client.post("/chat/completions", json=request(engine, model))
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == model
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


async def test_a_persona_that_is_not_loaded_is_waited_for_and_no_more_are_kept_than_may(
    client: httpx.AsyncClient, engine: LlamaCpp
) -> None:
    base = engine.served["milo-3"].base
    asked = ["milo-3", "lev-12", "pip-49", "juno-31", "beatrix-25", "milo-48"]
    texts = dict(zip(asked, await asyncio.gather(*(said(client, engine, one) for one in asked)), strict=True))
    assert len(base.server.loras) == MAX_LOADED
    assert texts["milo-3"] == texts["milo-48"]
    assert len(set(texts.values())) == len(CAST)
    running = [one for one in psutil.Process().children() if "llamacpp_process" in " ".join(one.cmdline())]
    assert [one.pid for one in running] == [base.server.pid]


async def test_a_persona_without_an_adapter_is_its_base_whatever_else_is_loaded(
    client: httpx.AsyncClient, engine: LlamaCpp
) -> None:
    asked = request(engine, "plain")
    for other in ("milo-3", "lev-2"):
        await said(client, engine, other)
        beside = (await client.post("/chat/completions", json=asked)).json()
    alone = LlamaServer(engine.served["plain"].base.model, (), Shape(context=1024, slots=2, threads=1))
    with alone.client() as http:
        answer = http.post("/v1/chat/completions", json=asked).json()
    assert beside["choices"] == answer["choices"]


async def test_who_was_asked_last_stays(client: httpx.AsyncClient, engine: LlamaCpp) -> None:
    for one in ("beatrix-0", "juno-1", "lev-2", "milo-3"):
        await said(client, engine, one)
    await said(client, engine, "beatrix-0")
    await said(client, engine, "pip-4")
    loaded = engine.served["milo-3"].base.server.loras
    assert engine.served["beatrix-0"].lora in loaded
    assert engine.served["juno-1"].lora not in loaded


async def test_a_server_that_died_is_made_again(client: httpx.AsyncClient, engine: LlamaCpp) -> None:
    before = await said(client, engine, "milo-3")
    psutil.Process(engine.served["milo-3"].base.server.pid).kill()
    psutil.wait_procs(psutil.Process().children(), timeout=10)
    assert await said(client, engine, "milo-3") == before


@pytest.mark.parametrize(
    "more",
    [
        {}, {"n": 2, "seed": 3, "temperature": 0.5}, {"logprobs": True, "top_logprobs": 3}, {"stop": ["a"]},
    ],
)  # fmt: skip
async def test_a_whole_reply_is_the_engines_own_field_by_field(
    client: httpx.AsyncClient, engine: LlamaCpp, more: dict[str, Any]
) -> None:
    asked = request(engine, "milo-3", **more)
    await said(client, engine, "milo-3")  # loads it
    ours = (await client.post("/chat/completions", json=asked)).json()
    theirs = answered(engine.served["milo-3"], asked)
    assert ours.pop("model") == "milo-3"
    assert theirs.pop("model") == "greenroom-persona"
    assert list(ours) == list(theirs)
    assert list(ours["timings"]) == list(theirs["timings"])
    for reply in (ours, theirs):
        for own in ("id", "created", "timings"):
            del reply[own]
    assert ours == theirs
