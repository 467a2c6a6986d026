"""The endpoint as the client reads it: what is agreed, and everything else that a server can do."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.fake_endpoint import FakeEndpoint
from tui.contract import Persona, ReplyEvent, TextPiece, Usage, Utterance
from tui.endpoint import Endpoint
from tui.errors import ClientError, EndpointError
from tui.events import EVENT_LIMIT, BadEventError, read_events
from tui.settings import read_settings

HEY = [Utterance("user", "hey", "Juno Farrowby")]


async def reply_of(fake: FakeEndpoint, **limits: float) -> tuple[str, Usage | None]:
    text, usage = "", None
    async with Endpoint(fake.url, silence_seconds=limits.pop("silence", 5.0)) as endpoint:
        async for event in endpoint.reply("milo", HEY):
            if isinstance(event, TextPiece):
                text += event.text
            else:
                usage = event
    return text, usage


async def test_personas_come_with_their_card_and_plain_models_with_their_id(fake: FakeEndpoint) -> None:
    async with Endpoint(fake.url) as endpoint:
        milo, _, plain = await endpoint.personas()
    about = "plays bass, never asleep before three"
    juno = "Juno Farrowby"
    assert milo == Persona("milo", "Milo Tarkwhistle", about, "smollm2-135m-instruct", juno, owner=juno)
    assert (plain.name, plain.base, plain.interlocutor) == ("plain-model", "", "")


async def test_odd_model_entries_are_skipped_and_hostile_names_cleaned(fake: FakeEndpoint) -> None:
    card = {"speaker": "A\x1b[31m\nB", "about": 7}
    fake.models = [
        None,
        {"id": ""},
        {"id": 3},
        {"id": "x\x1b"},
        {"id": "ok", "greenroom": card},
        {"id": "ok"},
    ]
    async with Endpoint(fake.url) as endpoint:
        personas = await endpoint.personas()
    assert [(persona.id, persona.about) for persona in personas] == [("ok", "")]


async def test_a_reply_is_streamed_with_the_users_name_and_ends_with_its_usage(fake: FakeEndpoint) -> None:
    fake.say("milo", "hey\nwhat's up")
    assert await reply_of(fake) == ("hey\nwhat's up", Usage(7, 3))
    (request,) = fake.requests
    assert request["messages"] == [{"role": "user", "content": "hey", "name": "Juno Farrowby"}]
    assert request["stream"] is True
    assert request["stream_options"] == {"include_usage": True}


async def test_the_key_is_sent_and_only_when_there_is_one(fake: FakeEndpoint) -> None:
    async with Endpoint(fake.url) as without, Endpoint(fake.url, "sesame") as with_key:
        await without.personas()
        await with_key.personas()
    assert fake.keys == [None, "Bearer sesame"]


async def test_proxies_of_the_environment_are_not_used(fake: FakeEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with Endpoint(fake.url) as endpoint:
        assert await endpoint.personas()


async def test_line_separators_inside_the_json_do_not_cut_an_event(fake: FakeEndpoint) -> None:
    fake.say_pieces("milo", ["one\u2028two", "\x85", "three"])
    assert (await reply_of(fake))[0] == "one\u2028two\x85three"


async def test_a_server_that_does_not_stream_is_understood(fake: FakeEndpoint) -> None:
    fake.misbehave("milo", "whole")
    assert (await reply_of(fake))[0] == "well then\nso"


@pytest.mark.parametrize(
    ("fault", "status", "message", "hint"),
    [
        ("401", 401, "wants another key (401: fault 401 as asked)", "GREENROOM_API_KEY"),
        ("404", 404, "does not know this persona or address", "/v1"),
        ("429", 429, "is busy (429", "wait 3 seconds"),
        ("500", 500, "failed (500: fault 500 as asked)", "where it runs"),
        ("503", 503, "failed (503", "where it runs"),
        ("302", 302, "status 302", "--url"),
        ("half event", None, "closed the connection in the middle", ""),
        ("close", None, "closed the connection in the middle", ""),
        ("reset", None, "closed the connection", ""),
        ("garbage", None, "not JSON (it starts “<<<not json>>>”)", "OpenAI-compatible"),
        ("binary", None, "not UTF-8", "OpenAI-compatible"),
        ("html", None, "not JSON", "OpenAI-compatible"),
        ("error event", None, "gave up: the model fell over", ""),
        ("silence", None, "went silent for 0.3 seconds", ""),
        ("hang", None, "went silent for 0.3 seconds", ""),
    ],
)
async def test_each_fault_is_one_line_about_what_happened(
    fake: FakeEndpoint, fault: str, status: int | None, message: str, hint: str
) -> None:
    fake.misbehave("milo", fault)
    with pytest.raises(EndpointError) as caught:
        await reply_of(fake, silence=0.3 if fault in ("silence", "hang") else 5.0)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert hint in caught.value.hint
    assert caught.value.status == status


async def _collect(reply: AsyncIterator[ReplyEvent], pieces: list[str]) -> None:
    async for event in reply:
        assert isinstance(event, TextPiece)
        pieces.append(event.text)


async def test_what_came_before_a_fault_is_not_lost(fake: FakeEndpoint) -> None:
    fake.misbehave("milo", "close")
    pieces: list[str] = []
    async with Endpoint(fake.url) as endpoint:
        reply = endpoint.reply("milo", HEY)
        with pytest.raises(EndpointError):
            await _collect(reply, pieces)
    assert pieces == ["well", " then", "\nso"]


async def test_a_model_that_never_stops_is_cut(fake: FakeEndpoint) -> None:
    fake.misbehave("milo", "never stop")
    async with Endpoint(fake.url, reply_limit=200) as endpoint:
        with pytest.raises(EndpointError, match="went past 200 characters"):
            await _collect(endpoint.reply("milo", HEY), [])


async def test_nobody_listening() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        async with Endpoint(url) as endpoint:
            with pytest.raises(EndpointError, match="nothing answers at") as caught:
                await endpoint.personas()
    assert "greenroom serve" in caught.value.hint


async def test_a_listener_that_never_speaks() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/v1"
        async with Endpoint(url, list_seconds=0.2) as endpoint:
            with pytest.raises(EndpointError, match=r"went silent for 0\.2 seconds"):
                await endpoint.personas()


@pytest.mark.parametrize("models", ["<html>", '{"data": 3}', "[]", "null", '{"error": {"message": "no"}}'])
async def test_something_else_than_a_list_of_models(fake: FakeEndpoint, models: str) -> None:
    fake.models = models
    async with Endpoint(fake.url) as endpoint:
        with pytest.raises(EndpointError) as caught:
            await endpoint.personas()
    assert "OpenAI-compatible" in caught.value.hint


async def _cut(body: bytes, sizes: list[int]) -> AsyncIterator[bytes]:
    """Yield `body` in pieces of the given sizes, then the rest."""
    at = 0
    for size in sizes:
        yield body[at : at + size]
        at += size
    yield body[at:]


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5),
    st.lists(st.integers(0, 7)),
    st.sampled_from([b"\n", b"\r\n"]),
)
async def test_events_are_the_same_however_the_network_cuts_them(
    texts: list[str], sizes: list[int], end: bytes
) -> None:
    sent = [json.dumps(text, ensure_ascii=False) for text in texts]
    body = b"".join(b": ping" + end + b"data: " + text.encode() + end + end for text in sent)
    assert [event async for event in read_events(_cut(body, sizes))] == sent


async def test_an_event_without_end_is_refused() -> None:
    with pytest.raises(BadEventError):
        [event async for event in read_events(_cut(b"data: " + b"x" * (EVENT_LIMIT + 10), []))]


@pytest.mark.parametrize(
    ("given_url", "used"),
    [
        (None, "http://127.0.0.1:8844/v1"),
        ("http://localhost:1/v1/", "http://localhost:1/v1"),
        ("localhost:8000/v1", "http://localhost:8000/v1"),
    ],
)
def test_the_address(given_url: str | None, used: str) -> None:
    assert read_settings(given_url).url == used


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://x:notaport", "http://[::1", "://"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ClientError, match="is not an address"):
        read_settings(url)
