"""The same cast through vLLM on a CPU, the persona layer inside its process."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

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


@pytest.mark.vllm
def test_a_response_is_made_of_the_chat_and_streams_the_same(client: openai.OpenAI) -> None:
    whole = client.responses.create(model="milo", input="hey", temperature=0, max_output_tokens=8)
    assert whole.output_text == client.chat.completions.create(
        model="milo", messages=[{"role": "user", "content": "hey"}], temperature=0, max_tokens=8
    ).choices[0].message.content  # fmt: skip
    events = list(client.responses.create(model="milo", input="hey", temperature=0, max_output_tokens=8, stream=True))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == whole.output_text
    assert events[-1].type == f"response.{whole.status}"
    assert whole.usage is not None


@pytest.mark.vllm
def test_beams_come_best_first_and_end_with_the_turn(client: openai.OpenAI) -> None:
    talk: Any = [{"role": "user", "content": "hey"}]
    beams: dict[str, Any] = {"use_beam_search": True, "length_penalty": 1.0}
    answer = client.chat.completions.create(model="milo", messages=talk, n=2, max_tokens=8, extra_body=beams)
    said = [choice.message.content or "" for choice in answer.choices]
    assert len(set(said)) == 2
    assert not any("<|" in text for text in said)
    with pytest.raises(openai.BadRequestError, match="no `seed`"):
        client.chat.completions.create(model="milo", messages=talk, seed=1, extra_body=beams)


@pytest.mark.vllm
def test_bad_words_and_a_least_number_of_tokens(client: openai.OpenAI) -> None:
    def answer(**more: Any) -> tuple[str, int]:
        talk: Any = [{"role": "user", "content": "hey"}]
        got = client.chat.completions.create(
            model="milo", messages=talk, temperature=0, max_tokens=12, extra_body={"ignore_eos": True, **more}
        )
        assert got.usage is not None
        return got.choices[0].message.content or "", got.usage.completion_tokens

    word = answer()[0].split()[1]
    assert word not in answer(bad_words=[word])[0].split()
    assert answer(ignore_eos=False, min_tokens=10)[1] >= 10


@pytest.mark.vllm
def test_a_reply_keeps_to_its_schema(client: openai.OpenAI) -> None:
    schema: Any = {"name": "boat", "schema": {"enum": ["green", "blue"]}}
    answer = client.chat.completions.create(
        model="milo",
        messages=[{"role": "user", "content": "green or blue?"}],
        response_format={"type": "json_schema", "json_schema": schema},
        max_tokens=16,
    )
    assert answer.choices[0].message.content in ('"green"', '"blue"')
