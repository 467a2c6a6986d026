"""When the endpoint is gone, refuses, hangs or talks nonsense: said where it happened, nothing lost."""

from __future__ import annotations

import socket
import sqlite3

import pytest

from tests.tui.conftest import OpenMessenger
from tests.tui.fake_endpoint import FakeEndpoint
from tui.screens.offline import OfflineScreen


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("401", "wants another key"),
        ("404", "does not know this persona"),
        ("429", "is busy"),
        ("500", "failed (500"),
        ("garbage", "not JSON"),
        ("half event", "in the middle of the reply"),
        ("close", "in the middle of the reply"),
        ("error event", "the model fell over"),
        ("html", "not JSON"),
    ],
)
async def test_a_fault_is_told_in_the_conversation_and_ctrl_r_tries_again(
    fake: FakeEndpoint, messenger: OpenMessenger, fault: str, reason: str
) -> None:
    fake.misbehave("milo", fault)
    fake.say("milo", "here now")
    async with messenger() as at:
        await at.say("hey")
        await at.until(lambda: reason in at.notice())
        assert "Ctrl+R to try again" in at.notice()
        assert at.said()[0] == ("mine", "hey")
        await at.pilot.press("ctrl+r")
        await at.until(lambda: at.said() == [("mine", "hey"), ("theirs", "here now")])
        await at.until(lambda: at.notice() == "")


async def test_what_came_before_the_fault_stays_and_is_marked(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    fake.misbehave("milo", "close")
    async with messenger() as at:
        await at.say("hey")
        await at.until(lambda: at.said()[1:] == [("theirs", "well then"), ("theirs", "so")])
        await at.until(lambda: "cut off" in at.seen())
        assert at.messenger.history.messages(at.chat.conversation or 0, last=1)[0].state == "failed"


async def test_an_empty_reply_is_said_to_be_one(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    fake.say_pieces("milo", ["", "\n \n"])
    async with messenger() as at:
        await at.say("hey")
        await at.until(lambda: "the reply was empty" in at.notice())
        assert at.said() == [("mine", "hey")]


async def test_an_endpoint_that_goes_away_and_comes_back(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    async with messenger() as at:
        await at.say("hey")
        fake.stop()
        await at.say("still there?")
        await at.until(lambda: "nothing answers at" in at.notice())
        with FakeEndpoint(port=fake.port) as back:
            back.say("milo", "yes")
            await at.pilot.press("ctrl+r")
            await at.until(lambda: ("theirs", "yes") in at.said())


async def test_without_an_endpoint_the_screen_says_what_to_do_and_r_tries_again(
    messenger: OpenMessenger,
) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    async with messenger(url=f"http://127.0.0.1:{port}/v1", connect=False) as at:
        await at.until(lambda: isinstance(at.app.screen, OfflineScreen))
        await at.until(lambda: "nothing answers" in at.seen())
        for part in (f"http://127.0.0.1:{port}/v1/models", "greenroom serve", "make serve", "R try now"):
            assert part in at.seen()
        with FakeEndpoint(port=port):
            await at.pilot.press("r")
            await at.connected()
            assert at.app.screen is at.messenger


async def test_it_tries_again_by_itself(
    messenger: OpenMessenger, monkeypatch: pytest.MonkeyPatch, fake: FakeEndpoint
) -> None:
    monkeypatch.setattr("tui.app.RETRY_SECONDS", 0.05)
    fake.models_status = 503
    async with messenger(connect=False) as at:
        await at.until(lambda: "503" in at.seen())
        fake.models_status = 200
        await at.connected()


async def test_an_endpoint_without_personas(
    messenger: OpenMessenger, monkeypatch: pytest.MonkeyPatch, fake: FakeEndpoint
) -> None:
    monkeypatch.setattr("tui.app.RETRY_SECONDS", 0.05)
    fake.models = []
    async with messenger(connect=False) as at:
        await at.until(lambda: "has no personas" in at.seen())


async def test_an_unknown_persona_ends_the_program_with_its_near_names(messenger: OpenMessenger) -> None:
    async with messenger(wanted="mlo", connect=False) as at:
        await at.until(lambda: at.app.failure)
        assert str(at.app.failure) == "there is no persona “mlo”"
        assert at.app.failure is not None
        assert at.app.failure.hint == "near names: milo"
        assert at.app.return_code == 2


async def test_reloading_keeps_the_open_chat_and_takes_up_new_personas(
    messenger: OpenMessenger, fake: FakeEndpoint
) -> None:
    async with messenger() as at:
        await at.say("hey")
        fake.models = [*reversed(fake.models), {"id": "newcomer"}]
        await at.pilot.press("f5")
        await at.until(lambda: len(at.messenger.chats) == 4 and "newcomer" in at.seen())
        assert at.chat.persona.id == "milo"
        assert at.said()[0] == ("mine", "hey")


async def test_a_history_that_cannot_be_written_sends_nothing_and_keeps_the_text(
    messenger: OpenMessenger, fake: FakeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.history.LOCK_SECONDS", 0.05)
    async with messenger() as at:
        blocker = sqlite3.connect(at.messenger.history.path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        at.messenger.composer.put("important")
        await at.pilot.press("enter")
        await at.until(lambda: "cannot write the chat history" in " ".join(at.seen().split()))
        assert at.messenger.composer.text == "important"
        assert fake.requests == []
        blocker.execute("ROLLBACK")
        await at.pilot.press("enter")
        await at.until(lambda: fake.requests)
