"""Plain `curl`, with the options that a person gives it."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

HEY = '{"model": "milo", "max_tokens": 8, "messages": [{"role": "user", "content": "hey"}]}'


def curl(*arguments: str, send: str | None = None) -> str:
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "60", *arguments],
        input=send,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_readmes_request_needs_no_header_at_all(endpoint: str) -> None:
    # curl then says that it sends a form.
    answer = json.loads(curl(f"{endpoint}/chat/completions", "-d", HEY))
    assert answer["choices"][0]["message"]["content"]


def test_openais_own_example_works_as_it_stands(endpoint: str) -> None:
    answer = json.loads(
        curl(
            f"{endpoint}/chat/completions",
            "-H", "Content-Type: application/json",
            "-H", "Authorization: Bearer none needed",
            "-d", HEY,
        )
    )  # fmt: skip
    assert answer["object"] == "chat.completion"


def test_a_stream_is_events_that_end_with_done(endpoint: str) -> None:
    body = json.dumps({**json.loads(HEY), "stream": True})
    said = curl("--no-buffer", "--include", f"{endpoint}/chat/completions", "-d", body)
    head, _, events = said.replace("\r\n", "\n").partition("\n\n")
    assert "text/event-stream" in head
    *chunks, done = events.strip().split("\n\n")
    assert done == "data: [DONE]"
    for chunk in chunks:
        parsed: dict[str, Any] = json.loads(chunk.removeprefix("data: "))
        assert parsed["object"] == "chat.completion.chunk"
        assert len(parsed["choices"]) == 1


def test_a_body_from_standard_input_in_chunks_is_read(endpoint: str) -> None:
    said = curl(
        f"{endpoint}/chat/completions",
        "-H", "Transfer-Encoding: chunked",
        "--data-binary", "@-",
        send=HEY,
    )  # fmt: skip
    assert json.loads(said)["usage"]["completion_tokens"] > 0


def test_fail_with_body_tells_an_error_by_its_exit_code(endpoint: str) -> None:
    request = ["curl", "--silent", "--fail-with-body", f"{endpoint}/chat/completions", "-d", "{not json"]
    done = subprocess.run(request, capture_output=True, text=True)
    assert done.returncode == 22
    assert json.loads(done.stdout)["error"]["type"] == "invalid_request_error"
