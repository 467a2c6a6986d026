"""Everything that the endpoint's own description allows, and much that it does not, asked by schemathesis.

The engine only says that it was asked: what real ones make of broken requests is in test_fuzz_endpoint.py.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from persona.card import Card, write_card
from server.layer import PersonaLayer
from server.listen import bind, configured
from server.openapi import description
from server.roster import Roster

EXAMPLES = 100


async def engine(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["method"] == "POST":
        body = (await receive())["body"]
        assert msgspec.json.decode(body)["model"] == "john"
    choice = {"index": 0, "message": {"role": "assistant", "content": "hey"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    await JSONResponse({"object": "chat.completion", "choices": [choice], "usage": usage})(scope, receive, send)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("cast")
    write_card(folder / "john", Card(speaker="John Smith", base="b", owner="Ann Lee"))
    bound = bind("127.0.0.1", 0)
    app = PersonaLayer(engine, Roster([folder]))
    server = uvicorn.Server(configured(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def cases() -> st.SearchStrategy[Any]:
    import schemathesis  # a second to load, and only this test needs it
    from schemathesis.core.result import Ok

    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    found = schemathesis.openapi.from_dict(description()).get_all_operations()
    operations = [one.ok() for one in found if isinstance(one, Ok)]
    return st.one_of([operation.as_strategy(generation_mode=mode) for operation in operations for mode in modes])


@pytest.mark.slow
@given(case=st.deferred(cases))
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
def test_what_the_description_allows_and_what_it_does_not(url: str, case: Any) -> None:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

    if isinstance(case.body, dict) and len(case.body) % 2:
        case.body["model"] = "john"  # nobody else is there to answer
    checks = [not_a_server_error, status_code_conformance, response_schema_conformance]
    case.call_and_validate(base_url=url, checks=checks)


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_openais_envelope_too(url: str, sent: bytes) -> None:
    head, _, body = exchanged(url, sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert msgspec.json.decode(body)["error"]["type"] == "invalid_request_error"


def test_a_request_to_change_to_websockets_is_answered_as_any_other(url: str) -> None:
    body = b'{"model": "john", "prompt": "hey"}'
    head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    assert exchanged(url, head + b"Content-Length: %d\r\n\r\n" % len(body) + body).startswith(b"HTTP/1.1 200")


def exchanged(url: str, sent: bytes) -> bytes:
    """All that comes back for `sent` until the other end closes."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b""))
