"""The same cast through vLLM on a CPU, the persona layer inside its process."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import pytest

from persona.card import Card, load_personas, write_card
from persona.errors import UserError
from server.access import Settings
from server.engines import vllm
from tests.endpoints import SAMPLE_CAST


@pytest.fixture(scope="module")
def client(vllm_endpoint: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=vllm_endpoint, api_key="none needed", max_retries=0, timeout=300)


def reply(client: openai.OpenAI, model: str, text: str) -> str:
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], temperature=0, max_tokens=16
    )
    assert answer.model == model
    return answer.choices[0].message.content or ""


@pytest.mark.vllm
def test_the_cast_is_listed_and_nothing_else(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["beatrix", "juno", "lev", "milo", "pip"]


@pytest.mark.vllm
def test_personas_at_once_answer_in_their_own_voice(client: openai.OpenAI) -> None:
    questions = [(model, text) for text in ("hey, what's up?", "what are you doing?") for model in ("lev", "milo")]
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda question: reply(client, *question), questions))
    assert all(said)
    assert any(re.search("[а-яё]", text) for text in said[::2])
    assert not any(re.search("[а-яё]", text) for text in said[1::2])


@pytest.mark.vllm
def test_a_stream_ends_with_its_usage(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="pip",
        messages=[{"role": "user", "content": "hey"}],
        max_tokens=12,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-1].usage is not None


@pytest.mark.vllm
@pytest.mark.parametrize(
    "path", ["/tokenize", "/invocations", "/v1/messages", "/v1/load_lora_adapter", "/v1/unload_lora_adapter"]
)
def test_vllms_own_routes_are_out_of_reach(vllm_endpoint: str, path: str) -> None:
    url = vllm_endpoint.removesuffix("/v1") + path
    assert httpx.post(url, json={}).status_code == 404
    assert httpx.get(url).status_code == 404


@pytest.mark.vllm
def test_an_error_is_the_same_as_with_the_other_engine(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="There are: beatrix"):
        reply(client, "nobody", "hey")


@pytest.mark.vllm
def test_the_command_says_what_each_adapter_is(models_only: Path, base_weights: Path) -> None:
    personas = load_personas(SAMPLE_CAST)[0]
    command = vllm.command(personas, models_only, host="127.0.0.1", port=1, context=512, slots=2)
    assert sum('"name":"milo"' in word for word in command) == 1
    assert command[command.index("--middleware") + 1] == "server.layer.PersonaLayer"
    environment = vllm.environment([SAMPLE_CAST], models_only, Settings())
    assert environment["VLLM_NO_USAGE_STATS"] == environment["HF_HUB_OFFLINE"] == "1"


@pytest.mark.vllm
def test_two_bases_at_once_are_refused(models_only: Path, tmp_path: Path) -> None:
    personas = [write_card(tmp_path / name, Card(speaker=name, base=name)) for name in ("a", "b")]
    with pytest.raises(UserError, match="one base model at a time"):
        vllm.command(personas, models_only, host="127.0.0.1", port=1, context=512, slots=2)
