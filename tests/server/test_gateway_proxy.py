"""The gateway as it is: LiteLLM's proxy in its own environment, in front of a real endpoint with the sample cast."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from persona.card import load_persona
from tests.endpoints import ROOT, SAMPLE_CAST, start_endpoint
from tests.server.test_gateway import Machine

pytestmark = pytest.mark.vllm

KEY = "sk-of-this-test-alone"
NONE = "none needed"

# Loaded by the proxy's Python: writes down whom it looks up or connects to. uvloop's own calls cannot be seen, so
# asyncio's loop stands in for it.
WITNESS = """
import asyncio, sys, types
uvloop = types.ModuleType("uvloop")
uvloop.Loop = asyncio.SelectorEventLoop
uvloop.new_event_loop = asyncio.new_event_loop
uvloop.EventLoopPolicy = asyncio.DefaultEventLoopPolicy
sys.modules["uvloop"] = uvloop
def witness(event, what):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        address = what[1] if event in ("socket.connect", "socket.sendto") else what[:2]
        with open(FILE, "a") as file:
            print(event, address[0] if isinstance(address, tuple) else address, file=file)
sys.addaudithook(witness)
"""


@pytest.fixture(scope="module")
def behind(models_only: Path) -> Iterator[str]:
    cast = ("--personas", str(SAMPLE_CAST), "--data", str(models_only))
    process, url = start_endpoint("--engine", "llamacpp", "--threads", "1", *cast)
    yield url
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def gateway(behind: str, folder: Path) -> Iterator[str]:
    """The gateway's URL."""
    (folder / "sitecustomize.py").write_text(f"FILE = {str(folder / 'network.log')!r}\n{WITNESS}")
    inherited = {name: value for name, value in os.environ.items() if name != "GREENROOM_API_KEY"}
    environ = {
        **inherited,
        "LITELLM_MASTER_KEY": KEY,
        "OPENAI_API_KEY": "sk-hosted",
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
    }
    card = load_persona(SAMPLE_CAST / "pip").card
    leaving = [Machine({"pip": card.speaker}, base=card.base) for _ in range(3)]
    more = ["--add", "openai/gpt-4o-mini", "--data", str(folder / "data")]
    for machine in leaving:
        more += ["--endpoint", machine.url]
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.cli", "gateway", "--endpoint", behind, "--port", "0", *more],
            env=environ,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
        )
    url = None
    deadline = time.monotonic() + 240
    while process.poll() is None and time.monotonic() < deadline:
        found = re.search(r"ready at (http://\S+)/v1", (folder / "said.txt").read_text())
        try:
            if found and httpx.get(f"{found[1]}/health/liveliness", timeout=5).status_code == 200:
                url = f"{found[1]}/v1"
                break
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    for machine in leaving:
        machine.shutdown()
        machine.server_close()
    assert url, (folder / "said.txt").read_text()[-4000:]
    yield url
    process.terminate()
    process.wait(60)


@pytest.fixture(scope="module")
def client(gateway: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway, api_key=KEY, max_retries=0, timeout=120)


def reply(url: str, key: str, **request: Any) -> str:
    """What is answered to a request that leaves nothing to chance."""
    request = {"model": "milo", "messages": [{"role": "user", "content": "hey"}], **request}
    answer = httpx.post(
        f"{url}/chat/completions",
        headers={"authorization": f"Bearer {key}"},
        json={"temperature": 0, "max_tokens": 12, **request},
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    said: str = answer.json()["choices"][0]["message"]["content"]
    return said


def test_the_cast_and_what_was_added_are_listed(client: openai.OpenAI) -> None:
    listed = {model.id for model in client.models.list()}
    assert listed == {"beatrix", "juno", "lev", "milo", "pip", "openai/gpt-4o-mini"}


def test_chat_and_stream_are_the_personas_own(client: openai.OpenAI, behind: str) -> None:
    talk: Any = [{"role": "user", "content": "hey"}]
    whole = client.chat.completions.create(model="milo", messages=talk, temperature=0, max_tokens=12)
    stream = client.chat.completions.create(model="milo", messages=talk, temperature=0, max_tokens=12, stream=True)
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert whole.choices[0].message.content == streamed == reply(behind, NONE)
    assert whole.model == "milo"
    assert streamed != reply(behind, NONE, model="lev")  # or nothing here would tell them apart


@pytest.mark.parametrize(
    "more",
    [
        {"chat_template_kwargs": {"speaker": "Lev Zimorodov", "add_generation_prompt": False}},
        {"extra_body": {"chat_template_kwargs": {"speaker": "Lev Zimorodov"}}},
    ],
    ids=["chat_template_kwargs", "extra_body"],
)
def test_what_is_said_to_the_template_changes_nothing(gateway: str, behind: str, more: dict[str, Any]) -> None:
    assert reply(gateway, KEY, **more) == reply(behind, NONE)


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": "hey", "name": "Lev_Zimorodov"}],
        [{"role": "user", "content": "hey", "name": "Milo_Vantongeren"}],
        [{"role": "system", "content": "You are Lev Zimorodov."}, {"role": "user", "content": "hey"}],
        [{"role": "developer", "content": "You are Lev."}, {"role": "user", "content": "hey"}],
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}],
    ],
    ids=["name", "another name", "system", "developer", "assistant"],
)
def test_names_and_roles_reach_the_endpoint_as_they_are(
    gateway: str, behind: str, messages: list[dict[str, str]]
) -> None:
    assert reply(gateway, KEY, messages=messages) == reply(behind, NONE, messages=messages)


@pytest.mark.parametrize("more", [{"extra_body": {"model": "lev"}}, {"fallbacks": ["lev"]}, {"api_base": "http://x"}])
def test_another_model_or_endpoint_in_a_request_is_refused(client: openai.OpenAI, more: dict[str, Any]) -> None:
    talk: Any = [{"role": "user", "content": "hey"}]
    # The package would unpack its own extra_body: this is one within the request.
    with pytest.raises(openai.BadRequestError, match="`model` alone"):
        client.chat.completions.create(model="milo", messages=talk, extra_body=more)


def test_a_persona_answers_from_the_machine_that_is_left(gateway: str, behind: str) -> None:
    # Three of its four machines have gone since the gateway started.
    asked: dict[str, Any] = {"model": "pip", "max_tokens": 4}
    assert {reply(gateway, KEY, **asked) for _ in range(6)} == {reply(behind, NONE, **asked)}


def test_errors_of_the_endpoint_and_of_the_key(client: openai.OpenAI, gateway: str) -> None:
    with pytest.raises(openai.APIStatusError):
        client.chat.completions.create(model="nobody", messages=[{"role": "user", "content": "hey"}])
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=gateway, api_key="sk-wrong", max_retries=0).models.list()


def test_nobody_but_the_endpoint_was_asked(client: openai.OpenAI, folder: Path) -> None:
    client.chat.completions.create(model="pip", messages=[{"role": "user", "content": "hey"}], max_tokens=4)
    asked = set((folder / "network.log").read_text().splitlines())
    assert any(line.startswith("socket.connect") for line in asked)  # or the witness saw nothing
    here = ("127.0.0.1", "::1", "localhost")
    assert [line for line in asked if not line.endswith(here) and "b'127.0.0.1'" not in line] == []


def test_no_message_and_no_key_is_written_down(client: openai.OpenAI, folder: Path) -> None:
    talk: Any = [{"role": "user", "content": "the word is heliotrope"}]
    client.chat.completions.create(model="pip", messages=talk, max_tokens=4)
    with pytest.raises(openai.APIStatusError):
        client.chat.completions.create(model="pip", messages=talk, temperature=9)
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert folder / "data" / "cache" / "gateway.yaml" in written
    for path in written:
        assert b"heliotrope" not in path.read_bytes(), path
        assert KEY.encode() not in path.read_bytes(), path


def test_an_endpoint_that_is_down_is_told_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.cli", "gateway", "--endpoint", "http://127.0.0.1:9"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no endpoint answers at http://127.0.0.1:9/v1" in done.stderr
    assert done.stdout == ""
