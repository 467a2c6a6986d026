"""A room of personas: who speaks next, what each is sent, and what `greenroom chat --room` prints of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tui.fake_endpoint import CAST, FakeEndpoint
from tests.tui.test_command import COMMAND, Terminal, chat, command, environment
from tui import inline
from tui.contract import Persona, Utterance
from tui.errors import ClientError
from tui.room import Room, gather, user_of
from tui.settings import read_settings

ALICE = Persona("alice", "Alice Moon", owner="Owen")
BOB = Persona("bob", "Bob Ash")
CLEO = Persona("cleo", "Cleo Birch")
ANNA = Persona("anna-1", "Anna Reed")
OTHER_ANNA = Persona("anna-2", "Anna Lake")
LEV = Persona("lev", "Lev", about="delivers parcels на Жучке")
PLAIN = Persona("org/model-7b")


def after(text: str, *members: Persona, speaker: Persona | None = None) -> str:
    """Return the id of who speaks after `text`, said by the user or a member as the first thing."""
    room = Room(members, "Owen")
    room.open(text) if speaker is None else room.add(speaker, text)
    persona = room.next()
    assert persona is not None
    return persona.id


def order(room: Room, *texts: str) -> list[str]:
    """Return who says each of `texts` when they are said one after another."""
    said = []
    for text in texts:
        persona = room.next()
        assert persona is not None
        room.add(persona, text)
        said.append(persona.id)
    return said


def test_two_speak_in_turn() -> None:
    room = Room([ALICE, BOB], "Owen")
    room.open("hey")
    assert order(room, "one", "two, alice", "three alice", "four") == ["alice", "bob", "alice", "bob"]


def test_three_speak_in_the_order_of_the_room_when_nobody_is_mentioned() -> None:
    room = Room([CLEO, ALICE, BOB], "Owen")
    room.open("hey")
    assert order(room, *"abcdef") == ["cleo", "alice", "bob"] * 2


def test_after_a_mention_it_is_the_turn_of_the_longest_silent() -> None:
    room = Room([ALICE, BOB, CLEO], "Owen")
    room.open("hey")
    assert order(room, "what do you say, Cleo?", "no", "no", "no") == ["alice", "cleo", "bob", "alice"]


@pytest.mark.parametrize(
    "text",
    [
        "what does @bob say",
        "BOB?",
        "bob, cleo, say something",
        "cleo knows what @bob did",
        "@Bob_Ash",
        "ask Bob Ash's mother",
        "bobby and cleopatra and Bob",
    ],
)
def test_whoever_is_mentioned_first_speaks_next_and_an_at_sign_is_stronger(text: str) -> None:
    assert after(text, ALICE, BOB, CLEO) == "bob"


@pytest.mark.parametrize("text", ["bobsled", "rebob", "nobody", "", "alice, are you there?"])
def test_part_of_a_word_is_no_mention(text: str) -> None:
    assert after(text, ALICE, BOB, CLEO) == "alice"


def test_nobody_answers_themselves() -> None:
    assert after("me, alice, I say so. @alice!", ALICE, BOB, CLEO, speaker=ALICE) == "bob"


def test_names_in_other_scripts_are_found() -> None:
    marina = Persona("marina", "Марина Лис")
    assert after("а что скажет марина?", ALICE, BOB, marina) == "marina"


def test_a_first_name_of_two_is_the_longer_silents_and_a_full_name_is_its_owners() -> None:
    assert after("Anna?", BOB, ANNA, OTHER_ANNA) == "anna-1"
    assert after("Anna Lake?", BOB, ANNA, OTHER_ANNA) == "anna-2"


def test_a_single_letter_is_a_name_only_after_an_at_sign() -> None:
    first, second = Persona("i"), Persona("x")
    assert after("what do x and I do", ALICE, first, second) == "alice"
    assert after("what do @x do", ALICE, first, second) == "x"


def test_each_is_sent_all_turns_its_own_as_assistant() -> None:
    room = Room([ALICE, PLAIN], "Owen")
    room.open(" hey\n")
    room.add(ALICE, "hi")
    room.add(PLAIN, "hello")
    assert room.messages(ALICE) == [
        Utterance("user", "hey", "Owen"),
        Utterance("assistant", "hi"),
        Utterance("user", "hello", "org/model-7b"),
    ]
    assert room.messages(PLAIN) == [
        Utterance("user", "hey", "Owen"),
        Utterance("user", "hi", "Alice Moon"),
        Utterance("assistant", "hello"),
    ]


def test_the_passed_over_wait_until_somebody_has_spoken() -> None:
    room = Room([ALICE, BOB], "Owen")
    room.open("hey")
    room.add(ALICE, "bob?")
    room.pass_over(BOB)
    assert order(room, "well, then not") == ["alice"]
    assert room.next() == BOB
    room.pass_over(BOB)
    room.pass_over(ALICE)
    assert room.next() is None


@pytest.mark.parametrize(("first", "greeting"), [(ALICE, "hey"), (LEV, "привет")])
def test_without_an_opening_line_the_second_greets_the_first(first: Persona, greeting: str) -> None:
    room = Room([first, BOB, CLEO])
    turn = room.open(None)
    assert (turn.persona, turn.text, turn.state) == ("bob", greeting, "given")
    assert room.next() == first


def test_a_user_who_goes_by_a_members_name_speaks_for_that_member() -> None:
    room = Room([ALICE, BOB], "alice moon")
    room.open("hey")
    assert room.next() == BOB
    assert room.messages(ALICE) == [Utterance("assistant", "hey")]


def test_who_the_user_is() -> None:
    assert user_of([BOB, ALICE], "") == "Owen"
    assert user_of([BOB, ALICE], "Somebody") == "Somebody"
    assert user_of([PLAIN, BOB], "") == ""


def test_the_same_three_times_in_a_row_is_a_loop() -> None:
    room = Room([ALICE, BOB], "Owen")
    room.open("no")
    for number in range(2):
        room.add(ALICE, "no\nno")
        room.add(BOB, f"yes {number}")
    assert not room.stuck
    room.add(ALICE, "no  no")
    assert room.stuck


def test_two_who_speak_under_one_name_are_no_room() -> None:
    with pytest.raises(ClientError, match="“alice” and “alice-2” both speak as Alice Moon"):
        gather([ALICE, Persona("alice-2", "Alice Moon")], ["alice", "alice-2"])


# ---- what is printed; in this process, where nothing but the streams is looked at


def talk(fake: FakeEndpoint, names: str, opening: str | None, turns: int = 4, *, as_json: bool = False) -> None:
    inline.run_room(read_settings(fake.url), names, opening, turns, as_json=as_json)


def test_each_turn_is_printed_under_its_speakers_name(fake: FakeEndpoint, capsys: pytest.CaptureFixture[str]) -> None:
    fake.say("milo", "hey\n\nwhat's up")
    fake.say("bea", "Milo: not much\x1b[31m")
    talk(fake, "milo,bea", "hello", 3)
    assert capsys.readouterr() == (
        "Juno Farrowby: hello\n"
        "Milo Tarkwhistle: hey\n  what's up\n"
        "Bea Quillfeather: Milo: not much\n"
        "Milo Tarkwhistle: ok\n",
        "",
    )
    assert [request["model"] for request in fake.requests] == ["milo", "bea", "milo"]
    assert fake.requests[1]["messages"] == [
        {"role": "user", "content": "hello", "name": "Juno Farrowby"},
        {"role": "user", "content": "hey\n\nwhat's up", "name": "Milo Tarkwhistle"},
    ]


def test_an_empty_reply_is_passed_over_and_never_sent(fake: FakeEndpoint, capsys: pytest.CaptureFixture[str]) -> None:
    fake.say("milo", "one")
    fake.say("bea", " \n")
    talk(fake, "milo,bea", None, 2)
    out, err = capsys.readouterr()
    assert out == "Bea Quillfeather: hey\nMilo Tarkwhistle: one\nMilo Tarkwhistle: ok\n"
    assert err == "(Bea Quillfeather sent an empty reply and is passed over)\n"
    assert all(message["content"].strip() for request in fake.requests for message in request["messages"])


def test_a_talk_of_empty_replies_is_an_error(fake: FakeEndpoint) -> None:
    for model in ("milo", "bea"):
        fake.say(model, "")
    with pytest.raises(ClientError, match="every persona in the room sent an empty reply"):
        talk(fake, "milo,bea", "hello")


def test_a_loop_ends_the_talk(fake: FakeEndpoint, capsys: pytest.CaptureFixture[str]) -> None:
    talk(fake, "milo,bea", "hello", 20)  # both always say "ok"
    out, err = capsys.readouterr()
    assert out.count("\n") == 6
    assert err == "(Milo Tarkwhistle said the same 3 times in a row, so the talk ends here)\n"


def test_json_is_one_object_with_all_turns(fake: FakeEndpoint, capsys: pytest.CaptureFixture[str]) -> None:
    fake.say("milo", "שלום")
    talk(fake, "milo,plain-model", "hello", 1, as_json=True)
    out, err = capsys.readouterr()
    usage = {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}
    assert json.loads(out) == {
        "room": ["milo", "plain-model"],
        "turns": [
            {"persona": None, "speaker": "Juno Farrowby", "text": "hello", "state": "given", "usage": None},
            {"persona": "milo", "speaker": "Milo Tarkwhistle", "text": "שלום", "state": "whole", "usage": usage},
        ],
        "ended": "turns",
        "notes": [],
    }
    assert (out.count("\n"), err) == (1, "")


@pytest.mark.parametrize("as_json", [False, True])
def test_what_came_before_a_fault_is_kept(
    fake: FakeEndpoint, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    fake.say("milo", "fine")
    fake.misbehave("bea", "close")
    with pytest.raises(ClientError, match="in the middle of the reply"):
        talk(fake, "milo,bea", "hello", as_json=as_json)
    out = capsys.readouterr().out
    if as_json:
        body = json.loads(out)
        assert [turn["state"] for turn in body["turns"]] == ["given", "whole", "failed"]
        assert (body["ended"], body["turns"][2]["text"]) == ("failed", "well then\nso")
    else:
        assert out.endswith("Milo Tarkwhistle: fine\nBea Quillfeather: well then\n  so\n")


def test_a_plain_openai_server_has_a_room_too(capsys: pytest.CaptureFixture[str]) -> None:
    with FakeEndpoint([CAST[2], {"id": "another"}]) as plain:
        talk(plain, "plain-model,another", "hello", 2)
        assert capsys.readouterr().out == "You: hello\nplain-model: ok\nanother: ok\n"
        assert plain.requests[1]["messages"] == [
            {"role": "user", "content": "hello"},
            {"role": "user", "content": "ok", "name": "plain-model"},
        ]


@pytest.mark.parametrize(
    ("names", "opening", "said"),
    [
        ("mlo,bea", "hello", "there is no persona “mlo”"),
        ("milo", "hello", "a room needs two personas or more: “milo” is alone in it"),
        (" , ", None, "a room needs two personas or more: nobody is in it"),
        ("milo,bea,Milo Tarkwhistle", None, "“milo” is in the room twice"),
        ("milo,bea", " ", "the opening line is empty"),
    ],
)
def test_what_makes_no_room(
    fake: FakeEndpoint, capsys: pytest.CaptureFixture[str], names: str, opening: str | None, said: str
) -> None:
    with pytest.raises(ClientError, match=said):
        talk(fake, names, opening, as_json=True)
    assert capsys.readouterr().out == ""
    assert fake.requests == []


# ---- the command from the outside


def test_the_opening_line_may_come_from_standard_input(fake: FakeEndpoint) -> None:
    done = chat(fake, "--room", "milo,bea", "--turns", "1", "--as", "Somebody", stdin="hello\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"Somebody: hello\nMilo Tarkwhistle: ok\n", b"")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--room", "mlo,bea"), "there is no persona “mlo”; near names: milo"),
        (("--room", "milo", "bea", "hello"), "a room takes one argument, the opening line, and here are two"),
        (("milo", "hello", "--turns", "3"), "--turns is for a talk between personas; say who is in it"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(fake: FakeEndpoint, arguments: tuple[str, ...], said: str) -> None:
    done = chat(fake, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    assert said in done.stderr.decode()


def test_nothing_is_kept_and_no_screen_is_loaded(fake: FakeEndpoint, history_file: Path) -> None:
    watch = COMMAND.replace("app(args=sys.argv[1:])", "app(args=sys.argv[1:], standalone_mode=False)")
    watch += '\nassert not any(name.startswith("textual") for name in sys.modules)'
    done = subprocess.run(
        [sys.executable, "-c", watch, "--room", "milo,bea", "hello", "--turns", "2"],
        env=environment(fake),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert not history_file.parent.exists()


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_stops_and_keeps_what_came(fake: FakeEndpoint, as_json: bool) -> None:
    fake.say("milo", "fine")
    fake.hold("bea", "well then", after=1)
    arguments = ("--room", "milo,bea", "hello", *(["--json"] if as_json else []))
    with subprocess.Popen(
        command(*arguments),
        env=environment(fake),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        came = b""
        if as_json:
            while len(fake.requests) < 2:
                assert process.poll() is None
                time.sleep(0.005)
        else:
            while not came.endswith(b"well "):
                came += os.read(process.stdout.fileno(), 1024)
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")
    if as_json:
        body = json.loads(rest)
        assert body["ended"] == "stopped"
        assert body["turns"][1]["text"] == "fine"
    else:
        assert came + rest == b"Juno Farrowby: hello\nMilo Tarkwhistle: fine\nBea Quillfeather: well \n"
    assert fake.requests[-1]["model"] == "bea"


def test_names_are_coloured_on_a_terminal(fake: FakeEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("--room", "milo,bea", "hello", "--turns", "2")
    terminal = Terminal(fake, *arguments)
    assert terminal.wait() == 0
    coloured = terminal.output
    assert "\x1b[1mJuno Farrowby\x1b[0m: hello\r\n" in coloured
    assert "mMilo Tarkwhistle\x1b[0m: ok\r\n" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal(fake, *arguments)
    assert terminal.wait() == 0
    assert terminal.output == "Juno Farrowby: hello\r\nMilo Tarkwhistle: ok\r\nBea Quillfeather: ok\r\n"


# ---- the real endpoint


def test_the_sample_cast_talks(endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    inline.run_room(read_settings(endpoint), "milo,pip,beatrix", "who has my bike, @pip?", 2, as_json=True)
    body = json.loads(capsys.readouterr().out)
    opening, first, second = body["turns"]
    assert opening["speaker"] == "Juno Farrowby"
    assert all(turn["text"].strip() and turn["usage"]["completion_tokens"] for turn in (first, second))
    if not body["notes"]:  # what a small model says is chance, and now and then it is nothing
        assert first["persona"] == "pip"
        assert second["persona"] in ("milo", "beatrix")
