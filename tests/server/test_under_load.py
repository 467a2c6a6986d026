"""The endpoint with more to do than it can, and told to stop while it works."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.endpoints import SAMPLE_CAST, start_endpoint

CLIENTS = 120


@pytest.fixture
def started(models_only: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    cast = ("--personas", str(SAMPLE_CAST), "--data", str(models_only))
    process, url = start_endpoint("--engine", "llamacpp", *cast)
    yield process, url
    process.kill()
    process.wait()


def asked(**more: Any) -> dict[str, Any]:
    return {"model": "milo", "messages": [{"role": "user", "content": "hey"}], "ignore_eos": True, **more}


@pytest.mark.parametrize("stream", [True, pytest.param(False, marks=pytest.mark.xfail(reason="waits out the grace"))])
def test_told_to_stop_it_finishes_what_it_says(started: tuple[subprocess.Popen[str], str], stream: bool) -> None:
    process, url = started

    def ask(_: int) -> str:
        with httpx.stream(
            "POST", f"{url}/chat/completions", json=asked(stream=stream, max_tokens=60), timeout=120
        ) as answer:
            return answer.read().decode()

    with ThreadPoolExecutor(2) as pool:
        replies = [pool.submit(ask, number) for number in range(2)]
        while (
            'greenroom_requests_in_flight{persona="milo"} 2.0'
            not in httpx.get(url.removesuffix("/v1") + "/metrics").text
        ):
            assert not any(reply.done() for reply in replies)
        process.terminate()
        for reply in replies:
            text = reply.result()
            assert text.endswith("data: [DONE]\n\n") if stream else '"completion_tokens":60' in text
    assert process.wait(60) == 0


def test_too_many_are_told_when_to_come_back_and_nobody_starves(started: tuple[subprocess.Popen[str], str]) -> None:
    _, url = started

    def ask(number: int) -> httpx.Response:
        return httpx.post(f"{url}/chat/completions", json=asked(max_tokens=4, stream=bool(number % 2)), timeout=300)

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(ask, range(CLIENTS)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) + sum(answer.status_code == 200 for answer in answers) == CLIENTS
    assert sum(answer.status_code == 200 for answer in answers) >= 64
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert all(answer.json()["error"]["code"] == "rate_limit_exceeded" for answer in refused)
    assert httpx.post(f"{url}/chat/completions", json=asked(max_tokens=1), timeout=60).status_code == 200
