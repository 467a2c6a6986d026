"""Every parameter of OpenAI's API has a fate: it changes the reply as it should, or it is refused by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_type_hints

import httpx
import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsBase as ChatParams
from openai.types.completion_create_params import CompletionCreateParamsBase as CompletionParams
from openai.types.responses.response_create_params import ResponseCreateParamsBase as ResponseParams

from scripts.make_parameters import PAGE, page
from server.engine_errors import in_one_voice
from server.envelope import RequestError
from server.parameters import ACCEPTED, NOTHING_ASKED, NOTHING_ASKED_RAW, checked, completed, honoured
from server.response_format import MAX_SCHEMA_CHARS, json_schema
from server.roster import Roster

OWN = {
    "chat": {"model", "messages"},
    "completions": {"model", "prompt", *NOTHING_ASKED_RAW},
    "responses": {
        "model", "input", "instructions", "text", "include", "truncation", "previous_response_id", "conversation", "background", "prompt",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("route", "theirs"), [("chat", ChatParams), ("completions", CompletionParams), ("responses", ResponseParams)]
)
def test_each_parameter_of_the_openai_package_has_a_fate(route: Any, theirs: type) -> None:
    known = honoured(route, vllm=False) | ACCEPTED | NOTHING_ASKED.keys() | OWN[route]
    assert not set(get_type_hints(theirs)) - known


def test_the_documentation_has_the_table_as_it_is() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run `python -m scripts.make_parameters`"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verbosity", "high"), ("stop", ""), ("stop", ["x", ""]), ("bad_words", "duck"), ("bad_words", [" "]),
        ("top_logprobs", 2), ("stream_options", {}), ("logit_bias", {"99999999999": 1}), ("logit_bias", {"٣": 1}),
        ("top_k", 2**40), ("moderation", {"model": "x"}), ("tool_choice", "required"), ("tools", 0), ("audio", False),
    ],
)  # fmt: skip
def test_what_would_be_ignored_is_refused(name: str, value: Any) -> None:
    with pytest.raises(RequestError) as refused:
        checked({name: value})
    assert refused.value.param == name


@pytest.mark.parametrize(
    "options", [{"include_usage": "yes"}, {"continuous_usage_stats": True}, {"include_obfuscation": True}]
)
def test_stream_options_are_those_that_are_there(options: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as refused:
        checked({"stream": True, "stream_options": options})
    assert refused.value.param == f"stream_options.{next(iter(options))}"


@pytest.mark.parametrize(("name", "value"), [("use_beam_search", True), ("min_tokens", 3), ("return_token_ids", True)])
def test_what_only_vllm_has_is_refused_with_llamacpp_and_says_so(name: str, value: Any) -> None:
    with pytest.raises(RequestError, match="needs the engine vLLM"):
        checked({name: value})
    assert checked({name: value}, vllm=True) == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stop", "x"),
        ("seed", 1),
        ("top_p", 0.5),
        ("temperature", 0.7),
        ("n", 11),
        ("logit_bias", {"1": 1}),
        ("presence_penalty", 1),
    ],
)
def test_a_beam_search_refuses_what_it_would_ignore(name: str, value: Any) -> None:
    with pytest.raises(RequestError) as refused:
        checked({"use_beam_search": True, name: value}, vllm=True)
    assert refused.value.param == name


def test_a_length_penalty_without_beams_is_refused() -> None:
    with pytest.raises(RequestError, match="use_beam_search"):
        checked({"length_penalty": 2.0}, vllm=True)


def test_a_beam_search_takes_no_sampling_from_the_card(roster: Roster) -> None:
    asked = checked({"use_beam_search": True, "n": 2}, vllm=True)
    assert completed(asked, roster.personas["john"]) == {"use_beam_search": True, "n": 2, "temperature": 0}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "bogus"}, {"type": "string", "pattern": "((("}, {"$ref": "#/nowhere"}, {"$ref": "https://there.example/x"},
        {"not": {"type": "string"}}, {"enum": ["x" * MAX_SCHEMA_CHARS]}, "string", None,
    ],
)  # fmt: skip
def test_a_schema_that_no_reply_can_be_held_to_is_refused(schema: Any) -> None:
    with pytest.raises(RequestError) as refused:
        json_schema({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    assert refused.value.param == "response_format"


@pytest.fixture(scope="module")
def client(endpoint: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=endpoint, timeout=180) as client:
        yield client


def answer(client: httpx.Client, **more: Any) -> dict[str, Any]:
    body = {
        "model": "milo",
        "messages": [{"role": "user", "content": "hey"}],
        "temperature": 0,
        "max_tokens": 6,
        **more,
    }
    response = client.post("/chat/completions", json=body)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def said(client: httpx.Client, **more: Any) -> str:
    text: str = answer(client, **more)["choices"][0]["message"]["content"]
    return text


def refused_param(client: httpx.Client, **more: Any) -> str:
    body = {"model": "milo", "messages": [{"role": "user", "content": "hey"}], "max_tokens": 6, **more}
    response = client.post("/chat/completions", json=body)
    assert response.status_code == 400
    param: str = response.json()["error"]["param"]
    return param


def test_a_seed_repeats_a_reply(client: httpx.Client) -> None:
    assert said(client, temperature=1, seed=7) == said(client, temperature=1, seed=7)
    assert len({said(client, temperature=2, seed=seed) for seed in (1, 2, 3)}) > 1


@pytest.mark.parametrize("greedy", [{"top_k": 1}, {"min_p": 1}, {"top_p": 0}])
def test_what_leaves_one_token_to_choose_is_greedy(client: httpx.Client, greedy: dict[str, Any]) -> None:
    assert said(client, **greedy, temperature=2, seed=3) == said(client)


def test_a_stop_word_ends_the_reply_and_is_not_in_it(client: httpx.Client) -> None:
    usual = said(client)
    word = usual.split()[1]
    assert said(client, stop=[word]) == usual.partition(word)[0]


def test_a_biased_token_and_a_bad_word_do_not_come(client: httpx.Client) -> None:
    first = answer(client, logprobs=True, top_logprobs=1)["choices"][0]["logprobs"]["content"][0]
    token = first["token"]
    assert not said(client, logit_bias={str(first["id"]): -100}).startswith(token)
    chosen = answer(client, bad_words=["the", "is"], max_tokens=40, ignore_eos=True)["choices"][0]["message"]["content"]
    assert not {"the", "is"} & set(chosen.split())


def test_a_word_of_several_tokens_is_refused_and_not_taken_apart(client: httpx.Client) -> None:
    assert refused_param(client, bad_words=["hippopotamus-like"]) == "bad_words"


@pytest.mark.parametrize("name", ["presence_penalty", "frequency_penalty", "repetition_penalty"])
def test_a_penalty_changes_what_is_said(client: httpx.Client, name: str) -> None:
    usual = said(client, repetition_penalty=1.0, max_tokens=12, ignore_eos=True)
    assert said(client, **{"repetition_penalty": 1.0, name: 2}, max_tokens=12, ignore_eos=True) != usual


def test_several_choices_up_to_the_slots(client: httpx.Client) -> None:
    assert len(answer(client, n=3)["choices"]) == 3
    assert refused_param(client, n=16) == "n"


def test_a_reply_keeps_to_its_schema(client: httpx.Client) -> None:
    schema = {
        "type": "object",
        "properties": {"boat": {"enum": ["green", "blue"]}},
        "required": ["boat"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "boat", "schema": schema}}
    assert json.loads(said(client, response_format=wanted, max_tokens=40))["boat"] in ("green", "blue")
    assert said(client, response_format={"type": "json_object"}).startswith("{")
    assert said(client, response_format={"type": "text"}) == said(client)
    bogus = {"type": "json_schema", "json_schema": {"schema": {"type": "bogus"}}}
    assert refused_param(client, response_format=bogus) == "response_format"


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        (
            b'{"error":{"message":"min_tokens must be less than or equal to max_tokens=6, got 50.","type":"BadRequestError","param":null,"code":400}}',
            "min_tokens",
            "max_tokens=6",
        ),
        (
            b'{"error":{"message":"out of vocabulary","type":"BadRequestError","param":"logit_bias","code":400}}',
            "logit_bias",
            "out of",
        ),
        (b"Bad Request", None, "log"),
        (b'{"detail":"x"}', None, "log"),
    ],
)
def test_vllms_errors_get_openais_envelope(body: bytes, param: str | None, message: str) -> None:
    error = json.loads(in_one_voice(400, body).body())["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert message in error["message"]
    assert not isinstance(error["code"], int)
