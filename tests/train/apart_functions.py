"""What `test_apart.py` runs in another process, in a module that takes no time to import."""

import os
import signal
from pathlib import Path

from persona.errors import UserError
from train.apart import Channel


def echo(channel: Channel, times: int) -> str:
    while (frame := channel.receive()) is not None:
        channel.send(frame * times)
    return "done"


def fail(channel: Channel) -> None:
    channel.receive()
    raise UserError("The other half failed.", "Try this.")


def die(channel: Channel) -> None:
    channel.receive()
    os.kill(os.getpid(), signal.SIGKILL)


def note_and_wait(channel: Channel, note: str) -> None:
    Path(note).write_text(str(os.getpid()))
    try:
        channel.receive()
    finally:
        Path(note).unlink()
