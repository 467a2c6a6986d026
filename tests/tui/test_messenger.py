"""Talking in the messenger: sending, streaming, stopping, switching, trying again, starting over."""

from __future__ import annotations

from pathlib import Path

from textual import events

from tests.tui.conftest import OpenMessenger
from tests.tui.fake_endpoint import FakeEndpoint
from tui.chat import CONTEXT_MESSAGES, PAGE
from tui.history import ABANDONED_SECONDS, History
from tui.screens.help import HelpScreen


async def test_a_message_is_answered_in_bubbles(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    fake.say("milo", "hey\nwhat's up")
    async with messenger() as at:
        await at.type("hello there")
        await at.pilot.press("enter")
        await at.until(lambda: at.chat.reply is None and at.chat.last_reply)
        await at.drawn()
        assert at.said() == [("mine", "hello there"), ("theirs", "hey"), ("theirs", "what's up")]
        assert at.messenger.composer.text == ""
        assert "Milo Tarkwhistle" in at.seen()
        assert "Today" in at.seen()
    (request,) = fake.requests
    assert request["model"] == "milo"
    assert request["messages"] == [{"role": "user", "content": "hello there", "name": "Juno Farrowby"}]


async def test_the_user_can_go_by_another_name(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    async with messenger(as_name="Somebody Else") as at:
        await at.say("hey")
    assert fake.requests[0]["messages"][0]["name"] == "Somebody Else"


async def test_a_plain_openai_server_gets_no_name(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    async with messenger(wanted="plain-model") as at:
        await at.say("hey")
    assert fake.requests[0]["messages"] == [{"role": "user", "content": "hey"}]


async def test_a_reply_grows_while_it_comes(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    gate = fake.hold("milo", "one two\nthree four", after=3)
    async with messenger() as at:
        await at.say("count", wait=False)
        await at.until(lambda: at.said()[1:] == [("theirs", "one two"), ("theirs", "three")])
        assert "typing…" in at.seen()
        gate.set()
        await at.until(lambda: at.said()[1:] == [("theirs", "one two"), ("theirs", "three four")])
        await at.until(lambda: "typing…" not in at.seen())


async def test_a_message_is_stored_before_it_is_sent_and_a_reply_as_it_grows(
    fake: FakeEndpoint, messenger: OpenMessenger
) -> None:
    fake.hold("milo", "one two three", after=1)
    async with messenger() as at:
        await at.say("count", wait=False)
        await at.until(lambda: len(fake.requests) == 1)
        other = History(at.messenger.history.path)
        conversation = other.conversation("milo")
        assert other.messages(conversation, last=9)[0].text == "count"
        await at.until(lambda: len(other.messages(conversation, last=9)) == 2)
        reply = other.messages(conversation, last=9)[1]
        assert (reply.text, reply.state) == ("one ", "streaming")
        other.close()


async def test_escape_stops_at_once_keeps_what_came_and_hangs_up(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    fake.hold("milo", "one two three", after=2)
    async with messenger() as at:
        await at.say("count", wait=False)
        await at.until(lambda: ("theirs", "one two") in at.said())
        await at.pilot.press("escape")
        assert at.chat.reply is None
        await at.drawn()
        assert at.said()[-1] == ("theirs", "one two")
        assert "stopped" in at.seen()
        await at.until(lambda: fake.left_early == 1, "the endpoint noticed")
        stored = at.messenger.history.messages(at.chat.conversation or 0, last=9)[-1]
        assert (stored.text, stored.state) == ("one two", "stopped")


async def test_escape_before_the_first_word(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    fake.misbehave("milo", "hang")
    async with messenger() as at:
        await at.say("anyone?", wait=False)
        await at.until(lambda: len(fake.requests) == 1)
        await at.pilot.press("escape")
        await at.until(lambda: "stopped before the first word" in at.notice())
        assert at.said() == [("mine", "anyone?")]


async def test_trying_again_replaces_the_last_reply(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    fake.say("milo", "first")
    fake.say("milo", "second")
    async with messenger() as at:
        await at.say("hey")
        await at.pilot.press("ctrl+r")
        await at.until(lambda: at.said() == [("mine", "hey"), ("theirs", "second")])
        await at.until(lambda: at.chat.reply is None)
        texts = [message.text for message in at.messenger.history.messages(at.chat.conversation or 0, last=9)]
        assert texts == ["hey", "second"]
    assert fake.requests[0]["messages"] == fake.requests[1]["messages"]


async def test_a_failing_second_try_costs_nothing(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    fake.say("milo", "first")
    fake.misbehave("milo", "500")
    async with messenger() as at:
        await at.say("hey")
        await at.pilot.press("ctrl+r")
        await at.until(lambda: "failed (500" in at.notice())
        assert at.said() == [("mine", "hey"), ("theirs", "first")]
        assert not at.turns()[-1].has_class("-fading")


async def test_a_new_conversation_is_empty_and_the_old_one_stays(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    async with messenger() as at:
        await at.say("hey")
        old = at.chat.conversation
        await at.pilot.press("ctrl+n")
        await at.drawn()
        assert at.said() == []
        assert "Say something." in at.seen()
        await at.say("again")
        assert len(at.messenger.history.messages(old or 0, last=9)) == 2
    assert fake.requests[1]["messages"] == [{"role": "user", "content": "again", "name": "Juno Farrowby"}]


async def test_the_history_goes_along_and_a_burst_is_one_turn(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    fake.say("milo", "ok\nfine")
    fake.misbehave("milo", "500")
    async with messenger() as at:
        await at.say("one")
        await at.say("two")
        await at.say("three")
    name = "Juno Farrowby"
    assert fake.requests[-1]["messages"] == [
        {"role": "user", "content": "one", "name": name},
        {"role": "assistant", "content": "ok\nfine"},
        {"role": "user", "content": "two\nthree", "name": name},
    ]


async def test_only_the_end_of_a_long_history_goes_along(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    async with messenger() as at:
        history, conversation = at.messenger.history, at.messenger.history.conversation("milo")
        for number in range(2 * CONTEXT_MESSAGES):
            history.add(conversation, "user" if number % 2 == 0 else "assistant", "x", str(number))
        at.chat.load()
        await at.say("now")
    sent = fake.requests[0]["messages"]
    assert len(sent) == CONTEXT_MESSAGES
    assert sent[-1]["content"] == "now"


async def test_writing_while_the_persona_thinks_joins_the_question(
    fake: FakeEndpoint, messenger: OpenMessenger
) -> None:
    fake.misbehave("milo", "hang")
    fake.say("milo", "both it is")
    async with messenger() as at:
        await at.say("one", wait=False)
        await at.until(lambda: len(fake.requests) == 1)
        await at.say("two")
        assert at.said() == [("mine", "one"), ("mine", "two"), ("theirs", "both it is")]
        assert at.notice() == ""
    assert fake.requests[1]["messages"][0]["content"] == "one\ntwo"


async def test_writing_while_the_persona_speaks_is_answered_next(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    gate = fake.hold("milo", "well then", after=1)
    fake.say("milo", "sure")
    async with messenger() as at:
        await at.say("one", wait=False)
        await at.until(lambda: ("theirs", "well") in at.said())
        await at.say("two", wait=False)
        gate.set()
        await at.until(lambda: at.chat.reply is None and len(fake.requests) == 2)
        await at.drawn()
        said = [("mine", "one"), ("theirs", "well then"), ("mine", "two"), ("theirs", "sure")]
        assert at.said() == said


async def test_a_reply_goes_on_while_another_chat_is_open_and_is_marked_unread(
    fake: FakeEndpoint, messenger: OpenMessenger
) -> None:
    gate = fake.hold("milo", "one two", after=1)
    async with messenger() as at:
        milo = at.chat
        await at.say("count", wait=False)
        await at.until(lambda: milo.reply and milo.reply.message)
        await at.pilot.press("alt+down")
        await at.until(lambda: at.chat.persona.id == "bea")
        gate.set()
        await at.until(lambda: milo.reply is None)
        assert milo.unread
        await at.until(lambda: "●" in at.seen())
        assert at.messenger.history.contact("milo").read_message == 0
        await at.pilot.press("alt+up")
        await at.drawn()
        assert at.said() == [("mine", "count"), ("theirs", "one two")]
        assert not milo.unread
        await at.until(lambda: "●" not in at.seen())


async def test_unread_marks_drafts_and_messages_are_there_after_a_restart(
    fake: FakeEndpoint, messenger: OpenMessenger
) -> None:
    gate = fake.hold("milo", "one two", after=1)
    async with messenger() as at:
        milo = at.chat
        await at.say("count", wait=False)
        await at.until(lambda: milo.reply and milo.reply.message)
        at.messenger.composer.put("not sent yet")
        await at.pilot.press("alt+down")
        gate.set()
        await at.until(lambda: milo.reply is None)
        await at.say("hello bea")
    async with messenger() as at:
        assert at.chat.persona.id == "bea"  # the one talked to last
        milo = next(chat for chat in at.messenger.chats if chat.persona.id == "milo")
        assert milo.unread
        assert "Draft: not sent yet" in at.seen()
        await at.messenger.open_chat(milo)
        await at.drawn()
        assert at.said() == [("mine", "count"), ("theirs", "one two")]
        assert at.messenger.composer.text == "not sent yet"


async def test_choosing_in_the_list_by_keys_and_by_mouse(messenger: OpenMessenger) -> None:
    async with messenger() as at:
        await at.pilot.press("shift+tab")
        assert at.messenger.contacts.list_view.has_focus
        await at.pilot.press("down", "enter")
        await at.until(lambda: at.chat.persona.id == "bea")
        assert at.messenger.composer.has_focus
        await at.pilot.click(at.messenger.contacts.items[2])
        await at.until(lambda: at.chat.persona.id == "plain-model")


async def test_keys_that_arrive_all_at_once_go_where_they_were_typed(
    fake: FakeEndpoint, messenger: OpenMessenger
) -> None:
    async with messenger() as at:
        milo, bea = at.messenger.chats[:2]
        keys = [*"one", "enter", "alt+down", *"two", "ctrl+j", *"more", "enter", "alt+up", *"three"]
        for key in keys:  # a slow machine sees quick fingers so: everything is there before it looks
            character = key if len(key) == 1 else None
            at.app.post_message(events.Key(key, character))
        await at.until(lambda: at.messenger.composer.text == "three")
        await at.until(lambda: len(fake.requests) == 2 and milo.reply is None and bea.reply is None)
        assert [message.text for message in milo.messages if message.role == "user"] == ["one"]
        assert [message.text for message in bea.messages if message.role == "user"] == ["two\nmore"]
        assert at.chat is milo


async def test_enter_sends_and_other_enters_do_not(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    async with messenger() as at:
        await at.type("one\ntwo")
        await at.pilot.press("shift+enter", "x")
        assert at.messenger.composer.text == "one\ntwo\nx"
        await at.pilot.press("enter")
        await at.until(lambda: fake.requests)
        assert fake.requests[0]["messages"][0]["content"] == "one\ntwo\nx"


async def test_nothing_is_sent_when_nothing_was_written(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    async with messenger() as at:
        await at.type("  \n ")
        await at.pilot.press("enter")
        await at.pilot.pause(0.05)
        assert fake.requests == []
        assert at.chat.messages == []


async def test_a_paste_stays_as_it_is(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    pasted = "def f():\n    return [1]  # [bold]\n"
    async with messenger() as at:
        at.app.post_message(events.Paste(pasted))
        await at.until(lambda: at.messenger.composer.text == pasted)
        assert fake.requests == []


async def test_up_brings_back_earlier_messages_only_when_nothing_is_written(messenger: OpenMessenger) -> None:
    async with messenger() as at:
        await at.say("first")
        await at.say("second")
        composer = at.messenger.composer
        await at.pilot.press("up")
        assert composer.text == "second"
        await at.pilot.press("up")
        assert composer.text == "first"
        await at.pilot.press("up", "down")
        assert composer.text == "second"
        await at.pilot.press("down")
        assert composer.text == ""
        await at.type("mine")
        await at.pilot.press("up")
        assert composer.text == "mine"


async def test_the_last_reply_is_copied(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    fake.say("milo", "hey\nyou")
    async with messenger() as at:
        await at.say("hi")
        await at.pilot.press("ctrl+y")
        assert at.app.clipboard == "hey\nyou"


async def test_the_title_says_who_on_what_and_how_fast(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    fake.say("milo", "one two three four five", pause=0.01)
    async with messenger(size=(110, 30)) as at:
        await at.say("count")
        await at.until(lambda: "tokens/s" in at.seen())
        assert "smollm2-135m-instruct" in at.seen()
        assert "you are Juno Farrowby" in at.seen()


async def test_the_view_stays_at_the_end_unless_the_user_scrolled_up(
    fake: FakeEndpoint, messenger: OpenMessenger
) -> None:
    async with messenger(size=(100, 24)) as at:
        fake.say("milo", "\n".join(f"line {number}" for number in range(30)))
        await at.say("talk")
        view = at.messenger.view
        assert view is not None
        await at.until(lambda: view.max_scroll_y > 0 and view.scroll_y == view.max_scroll_y)
        gate = fake.hold("milo", "\n".join(f"more {number}" for number in range(30)), after=1)
        await at.say("more", wait=False)
        await at.until(lambda: ("theirs", "more") in at.said())
        await at.until(lambda: view.scroll_y == view.max_scroll_y)
        await at.pilot.press("pageup")
        await at.until(lambda: view.scroll_y < view.max_scroll_y)
        await at.pilot.pause(0.3)
        place = view.scroll_y
        gate.set()
        await at.until(lambda: at.chat.reply is None)
        await at.drawn()
        assert view.scroll_y == place
        await at.say("back to the end")
        await at.until(lambda: view.scroll_y == view.max_scroll_y)


async def test_older_messages_come_when_the_top_is_reached(messenger: OpenMessenger) -> None:
    async with messenger(connect=False) as at:
        history = at.messenger.history
        conversation = history.conversation("milo")
        for number in range(2 * PAGE):
            history.add(conversation, "user", "Juno", f"message {number}")
        await at.connected()
        await at.drawn()
        assert len(at.turns()) == PAGE
        view = at.messenger.view
        assert view is not None
        await at.until(lambda: view.scroll_y == view.max_scroll_y > 0)
        view.scroll_home(animate=False)
        await at.until(lambda: len(at.turns()) == 2 * PAGE)
        await at.drawn()
        assert at.said()[0] == ("mine", "message 0")
        await at.until(lambda: view.scroll_y > 10, "the same lines stayed in view")


async def test_what_another_client_writes_appears(messenger: OpenMessenger) -> None:
    async with messenger() as at:
        await at.say("hey")
        other = History(at.messenger.history.path)
        other.add(at.chat.conversation or 0, "user", "Juno", "from the other window")
        at.messenger._look_at_history()
        await at.until(lambda: at.said()[-1] == ("mine", "from the other window"))
        other.close()


async def test_a_reply_whose_client_was_killed_is_marked_after_a_while(
    messenger: OpenMessenger, history_file: Path
) -> None:
    moment = [1_700_000_000.0]
    history = History(history_file, now=lambda: moment[0])
    conversation = history.conversation("milo")
    history.add(conversation, "user", "Juno", "hey")
    history.add(conversation, "assistant", "Milo", "i was abou", "streaming")
    history.close()
    async with messenger(now=lambda: moment[0]) as at:
        await at.drawn()
        assert "stopped" not in at.seen()
        moment[0] += ABANDONED_SECONDS + 1
        at.messenger._look_at_history()
        await at.until(lambda: "stopped ·" in at.seen())


async def test_quitting_keeps_a_reply_under_way(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    fake.hold("milo", "one two three", after=2)
    async with messenger() as at:
        await at.say("count", wait=False)
        await at.until(lambda: ("theirs", "one two") in at.said())
        path = at.messenger.history.path
        await at.pilot.press("ctrl+q")
    with_reply = History(path)
    assert with_reply.messages(with_reply.conversation("milo"), last=1)[0].text == "one two"


async def test_help_and_palette(messenger: OpenMessenger) -> None:
    async with messenger() as at:
        await at.pilot.press("f1")
        await at.until(lambda: isinstance(at.app.screen, HelpScreen))
        assert "stop the reply and keep what came" in at.seen()
        await at.pilot.press("escape")
        await at.pilot.press("shift+tab", "question_mark")
        await at.until(lambda: isinstance(at.app.screen, HelpScreen))
        await at.pilot.press("escape", "ctrl+p")
        await at.until(lambda: "Search for commands" in at.seen())
        await at.pilot.press(*"bea")
        await at.until(lambda: "Chat with Bea Quillfeather" in at.seen())
        await at.pilot.press("enter")
        await at.until(lambda: at.messenger.chat and at.chat.persona.id == "bea")


async def test_the_theme_is_remembered(messenger: OpenMessenger) -> None:
    async with messenger() as at:
        assert at.app.theme == "greenroom"
        at.app.theme = "greenroom-light"
        await at.pilot.pause()
    async with messenger() as at:
        assert at.app.theme == "greenroom-light"


async def test_ctrl_c_with_nothing_selected_says_how_to_quit(messenger: OpenMessenger) -> None:
    async with messenger() as at:
        await at.pilot.press("ctrl+c")
        await at.until(lambda: "to quit the app" in at.seen())
        assert at.app.is_running
