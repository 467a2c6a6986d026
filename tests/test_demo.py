"""`make chat` as a person sees it: a real terminal, the real client, the real engine and the sample cast."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import psutil
import pyte

from tests.endpoints import ROOT

COLUMNS, LINES = 100, 30


class Terminal:
    """A program in a terminal of its own, and what its screen shows."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        env = {**os.environ, **environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        for size in ("COLUMNS", "LINES"):
            env.pop(size, None)  # the terminal itself says how large it is
        self.program: pexpect.spawn[bytes] = pexpect.spawn(
            command[0], command[1:], env=env, cwd=str(ROOT), dimensions=(LINES, COLUMNS)
        )

    def shows(self, wanted: Callable[[str], bool], seconds: float = 120) -> str:
        """The screen's text as soon as `wanted` is true of it."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
                self._stream.feed(self.program.read_nonblocking(65536, timeout=0.1))
            text = "\n".join(self.screen.display)
            if wanted(text):
                return text
            assert time.monotonic() < deadline, f"it is not on the screen:\n{text}"

    def type(self, text: str) -> None:
        """Press these keys."""
        self.program.send(text)


def test_from_the_command_to_a_reply_and_out_again(models_only: Path) -> None:
    command = [sys.executable, "-m", "scripts.cli", "demo", "--data", str(models_only)]
    terminal = Terminal(command, {})
    terminal.shows(lambda text: all(name in text for name in ("Milo", "Beatrix", "Pip", "Lev", "Juno")))
    endpoints = [child for child in psutil.Process(terminal.program.pid).children() if "serve" in child.cmdline()]
    assert len(endpoints) == 1
    terminal.type("hello in there\r")
    # The speed stands under the title once a reply has come to its end.
    text = terminal.shows(lambda text: "hello in there" in text and bool(re.search(r"\d tok", text)))
    assert "greenroom serve" not in text, "the client found no endpoint"
    terminal.type("\x11")  # Ctrl+Q
    terminal.program.expect(pexpect.EOF, timeout=30)
    terminal.program.close()
    assert terminal.program.exitstatus == 0
    assert not endpoints[0].is_running()


def test_the_endpoint_stops_when_the_client_is_killed(models_only: Path) -> None:
    command = [sys.executable, "-m", "scripts.cli", "demo", "--data", str(models_only)]
    terminal = Terminal(command, {})
    terminal.shows(lambda text: "Milo" in text)
    (endpoint,) = [child for child in psutil.Process(terminal.program.pid).children() if "serve" in child.cmdline()]
    terminal.program.kill(signal.SIGKILL)
    endpoint.wait(30)
    assert not endpoint.is_running()
