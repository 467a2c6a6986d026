"""Personas come, change and go while the endpoint answers: the real engine, requests under way all the time."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.endpoints import SAMPLE_CAST, start_endpoint

pytestmark = pytest.mark.slow

TAKES_EFFECT_S = 30
"""What a busy machine is given; on an idle one it is about a second."""


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("living") / "personas"
    for name in ("milo", "beatrix"):
        shutil.copytree(SAMPLE_CAST / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def client(cast: Path, models_only: Path) -> Iterator[httpx.Client]:
    process, url = start_endpoint(
        "--engine", "llamacpp", "--threads", "1", "--personas", str(cast), "--data", str(models_only)
    )
    with httpx.Client(base_url=url, timeout=180) as client:
        yield client
    process.terminate()
    assert process.wait(30) == 0


def ask(client: httpx.Client, model: str, **more: Any) -> httpx.Response:
    messages = [{"role": "user", "content": "hey, what's up?", "name": "Juno Farrowby"}]
    body = {"model": model, "messages": messages, "temperature": 0, "max_tokens": 24, **more}
    return client.post("/chat/completions", json=body)


def said(client: httpx.Client, model: str) -> str:
    answer = ask(client, model)
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


def is_russian(text: str) -> bool:
    return any("а" <= letter <= "я" for letter in text)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TAKES_EFFECT_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def listed(client: httpx.Client) -> list[str]:
    return [model["id"] for model in client.get("/models").json()["data"]]


def broken(client: httpx.Client) -> dict[str, str]:
    return {one["id"]: one["reason"] for one in client.get("/models").json().get("greenroom", {}).get("broken", [])}


class Talk:
    """Streams replies of one persona, one after the other, and keeps how each ended."""

    def __init__(self, client: httpx.Client, model: str) -> None:
        self.ends: list[str] = []
        self._stop = threading.Event()
        self._client, self._model = client, model
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Talk:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        body = {"model": self._model, "messages": [{"role": "user", "content": "hey"}], "stream": True,
                "max_tokens": 60, "ignore_eos": True}  # fmt: skip
        while not self._stop.is_set():
            try:
                with self._client.stream("POST", "/chat/completions", json=body) as answer:
                    lines = [line for line in answer.iter_lines() if line]
                self.ends.append(lines[-1])
            except httpx.HTTPError as error:
                self.ends.append(repr(error))


def replace(folder: Path, by: Path) -> None:
    """Replace the adapter file by file, as an unpacked archive would."""
    for file in by.iterdir():
        shutil.copyfile(file, folder / "adapter" / file.name)


def test_a_folder_is_added_replaced_and_removed_while_replies_are_written(client: httpx.Client, cast: Path) -> None:
    with Talk(client, "beatrix") as talk, Talk(client, "milo") as other:
        shutil.copytree(SAMPLE_CAST / "lev", cast / "canary")
        until(lambda: "canary" in listed(client))
        assert is_russian(said(client, "canary"))

        # Not "another reply than before": beside other streams the old adapter's words may differ by a rounding.
        replace(cast / "canary", SAMPLE_CAST / "pip" / "adapter")
        until(lambda: not is_russian(said(client, "canary")))

        shutil.rmtree(cast / "canary")
        until(lambda: "canary" not in listed(client))
        assert ask(client, "canary").json()["error"]["code"] == "model_not_found"
    assert set(talk.ends) == {"data: [DONE]"}
    assert set(other.ends) == {"data: [DONE]"}


def test_a_card_alone_takes_effect_too(client: httpx.Client, cast: Path) -> None:
    card = cast / "milo" / "persona.toml"
    card.write_text(re.sub("(?m)^about = .*$", 'about = "on the roof"', card.read_text()))
    until(lambda: client.get("/models/milo").json()["greenroom"]["about"] == "on the roof")


@pytest.mark.parametrize("damage", ["card", "half a file", "no file", "another base", "zeros"])
def test_a_broken_persona_is_listed_with_the_reason_and_the_others_go_on(
    client: httpx.Client, cast: Path, damage: str
) -> None:
    folder = cast / "hurt"
    prepared = cast.parent / "hurt"
    shutil.copytree(SAMPLE_CAST / "juno", prepared)
    weights = prepared / "adapter" / "adapter_model.safetensors"
    card = prepared / "persona.toml"
    if damage == "card":
        card.write_text("speaker = ")
    elif damage == "half a file":
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    elif damage == "no file":
        weights.unlink()
    elif damage == "zeros":
        weights.write_bytes(bytes(weights.stat().st_size))
    else:
        card.write_text(card.read_text().replace('base = "', 'base = "no-such-'))
    prepared.rename(folder)

    until(lambda: "hurt" in broken(client))
    reason = broken(client)["hurt"]
    assert reason
    assert str(cast.parent) not in reason
    refused = ask(client, "hurt")
    assert refused.status_code == 404
    assert reason in refused.json()["error"]["message"]
    assert said(client, "beatrix")

    shutil.rmtree(folder)
    until(lambda: "hurt" not in broken(client))


def test_all_may_leave_and_one_come_back(client: httpx.Client, cast: Path) -> None:
    for folder in list(cast.iterdir()):
        shutil.rmtree(folder)
    until(lambda: listed(client) == [])
    shutil.copytree(SAMPLE_CAST / "pip", cast / "pip")
    until(lambda: listed(client) == ["pip"])
    assert said(client, "pip")
