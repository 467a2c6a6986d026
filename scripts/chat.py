"""`greenroom chat`: the terminal client, one message and its reply, or a talk between personas.

    greenroom chat                                open the messenger
    greenroom chat milo                           open it at Milo
    greenroom chat milo "hey, what's up?"         print Milo's reply and leave
    echo "hey" | greenroom chat milo --json       the same for scripts
    greenroom chat --room milo,pip "who's up?"    print a talk between personas and leave

What it does is in `tui`; this module only decides which of them is wanted.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from persona.errors import UserError

Persona = Annotated[
    str | None,
    typer.Argument(help="Whom to talk to: an id or a name. Without one, the messenger opens."),
]
MessageText = Annotated[
    str | None,
    typer.Argument(help="What to say. With it the reply is printed, and nothing is kept in the history."),
]
Url = Annotated[
    str | None,
    typer.Option(help="Address of the endpoint. Default: GREENROOM_URL, else http://127.0.0.1:8844/v1."),
]
AsName = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Who you are. Default: a persona's interlocutor; in a room, the owner."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object: persona, reply, usage; of a room, all turns.")
]
Room = Annotated[
    str | None,
    typer.Option(metavar="A,B,…", help="Let these personas talk with each other; a message is the opening line."),
]
Turns = Annotated[int | None, typer.Option(min=1, help="How many replies a talk with --room has. Default: 6.")]

ROOM_TURNS = 6


def chat(
    persona: Persona = None,
    message: MessageText = None,
    url: Url = None,
    as_name: AsName = None,
    as_json: AsJson = False,
    room: Room = None,
    turns: Turns = None,
) -> None:
    """Talk to a persona: in the messenger, or with one message and one reply. With --room, personas talk.

    A key for the endpoint is read from GREENROOM_API_KEY. The chat history lies in your user data folder,
    or where GREENROOM_HISTORY says.
    """
    from tui.errors import ClientError  # loaded late: `greenroom --help` needs none of it
    from tui.settings import read_settings

    try:
        settings = read_settings(url, as_name)
        if room is not None:
            opening = _opening(room, persona, message)
            from tui import inline

            inline.run_room(settings, room, opening, turns or ROOM_TURNS, as_json=as_json)
            return
        if turns is not None:
            raise UserError("--turns is for a talk between personas;", hint="say who is in it, --room alice,bob")
        if message is None and persona is not None and not sys.stdin.isatty():
            message = _piped_message()
        if message is not None and persona is not None:
            from tui import inline

            inline.run(settings, persona, message, as_json=as_json)
            return
        _need_terminal(as_json)
        from tui import app

        app.run(settings, persona)
    except ClientError as error:
        raise UserError(f"{error};" if error.hint else str(error), hint=error.hint) from error
    except BrokenPipeError:
        # The reader has had enough (`… | head -1`). What is still buffered must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _opening(room: str, line: str | None, more: str | None) -> str | None:
    """Return the opening line of a room: the one argument beside it, or what is piped in."""
    if more is not None:
        raise UserError(
            "a room takes one argument, the opening line, and here are two;",
            hint=f"put the line in quotes, and everybody into --room {room},…",
        )
    return _piped_message() if line is None and not sys.stdin.isatty() else line


def _piped_message() -> str | None:
    """Return what stands on standard input, or None when it is empty."""
    text = sys.stdin.buffer.read().decode("utf-8", "replace") if sys.stdin is not None else ""
    return text if text.strip() else None


def _need_terminal(as_json: bool) -> None:
    """Raise UserError where the messenger cannot open."""
    if as_json:
        raise UserError("--json needs a message;", hint='greenroom chat PERSONA "message" --json')
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError(
            "the messenger needs a terminal, and this is none;",
            hint='say it in one go, greenroom chat PERSONA "message", or use curl on the endpoint',
        )
