"""The endpoint with more to do than it can, with clients that leave, told to stop while it works, and killed."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.endpoints import SAMPLE_CAST, start_endpoint

pytestmark = pytest.mark.slow

CLIENTS = 200
Started = tuple[subprocess.Popen[str], str]


@pytest.fixture(scope="module")
def arguments(models_only: Path) -> tuple[str, ...]:
    return (
        "--engine",
        "llamacpp",
        "--slots",
        "2",
        "--threads",
        "1",
        "--personas",
        str(SAMPLE_CAST),
        "--data",
        str(models_only),
    )


@pytest.fixture(scope="module")
def url(arguments: tuple[str, ...]) -> Iterator[str]:
    process, url = start_endpoint(*arguments)
    yield url
    process.kill()
    process.wait()


@pytest.fixture
def started(arguments: tuple[str, ...]) -> Iterator[Started]:
    process, url = start_endpoint(*arguments)
    yield process, url
    process.kill()
    process.wait()


def asked(path: str = "/chat/completions", **more: Any) -> dict[str, Any]:
    said = {"prompt": "and then"} if path == "/completions" else {"messages": [{"role": "user", "content": "hey"}]}
    return {"model": "milo", **said, "ignore_eos": True, **more}


def wait_until_under_way(url: str, requests: int) -> None:
    while f'greenroom_requests_in_flight{{persona="milo"}} {requests}.0' not in metrics(url):
        pass


def metrics(url: str) -> str:
    return httpx.get(url.removesuffix("/v1") + "/metrics", timeout=60).text


@pytest.mark.parametrize("path", ["/chat/completions", "/completions"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_its_slot(url: str, path: str, stream: bool) -> None:
    # Twice as many as there are slots, minutes each: were they not freed, the last question would wait for all.
    for _ in range(4):
        left = threading.Thread(target=leave, args=(url + path, asked(path, max_tokens=8000, stream=stream)))
        left.start()
        left.join()
    assert httpx.post(f"{url}/chat/completions", json=asked(max_tokens=2), timeout=60).status_code == 200
    assert 'greenroom_requests_in_flight{persona="milo"} 0.0' in metrics(url)


def leave(url: str, body: dict[str, Any]) -> None:
    """Ask, and hang up while the reply is written."""
    with httpx.Client(timeout=httpx.Timeout(60, read=0.5)) as client:
        try:
            with client.stream("POST", url, json=body) as answer:
                next(answer.iter_bytes())
        except httpx.ReadTimeout:
            return


@pytest.mark.slow
def test_too_many_are_told_when_to_come_back_and_nobody_starves(url: str) -> None:
    def ask(number: int) -> httpx.Response:
        body = asked(max_tokens=1, stream=bool(number % 2)) | {"model": ("milo", "lev")[number % 3 == 0]}
        return httpx.post(f"{url}/chat/completions", json=body, timeout=300)

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(ask, range(CLIENTS)))
    refused = [answer for answer in answers if answer.status_code == 429]
    answered = [answer for answer in answers if answer.status_code == 200]
    assert len(refused) + len(answered) == CLIENTS
    assert len(answered) >= 64
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert all(answer.json()["error"]["code"] == "rate_limit_exceeded" for answer in refused)
    assert httpx.post(f"{url}/chat/completions", json=asked(max_tokens=1), timeout=60).status_code == 200


def test_told_to_stop_it_finishes_what_it_says(started: Started) -> None:
    process, url = started
    servers = psutil.Process(process.pid).children()
    assert servers

    def ask(stream: bool) -> str:
        body = asked(stream=stream, max_tokens=8, stream_options={"include_usage": True} if stream else None)
        return httpx.post(f"{url}/chat/completions", json=body, timeout=120).text

    with ThreadPoolExecutor(2) as pool:
        streamed, whole = pool.submit(ask, True), pool.submit(ask, False)
        wait_until_under_way(url, 2)
        # As a service manager does it: every process of the service is told.
        for server in servers:
            server.terminate()
        process.terminate()
        assert streamed.result().endswith("data: [DONE]\n\n")
        assert '"completion_tokens":8' in streamed.result()
        assert '"completion_tokens":8' in whole.result()
    assert process.wait(60) == 0
    assert not psutil.wait_procs(servers, timeout=10)[1]


def test_killed_it_leaves_nothing_that_stops_the_next_start(started: Started, arguments: tuple[str, ...]) -> None:
    process, url = started
    servers = psutil.Process(process.pid).children()
    unix = [str(one.laddr) for server in servers for one in server.net_connections("unix")]
    sockets = [path for path in unix if "greenroom-" in path]
    assert sockets
    with httpx.stream("POST", f"{url}/chat/completions", json=asked(max_tokens=500, stream=True), timeout=60) as answer:
        next(answer.iter_bytes())
        process.kill()
        process.wait()
    assert not psutil.wait_procs(servers, timeout=30)[1]
    assert not any(Path(socket).parent.exists() for socket in sockets)
    port = httpx.URL(url).port
    again, same = start_endpoint(*arguments, "--port", str(port))
    try:
        assert same == url
        assert httpx.post(f"{url}/chat/completions", json=asked(max_tokens=1), timeout=60).status_code == 200
    finally:
        again.terminate()
        assert again.wait(60) == 0
