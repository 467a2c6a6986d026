"""`greenroom chat` from the outside: a process, its streams and its exit code, and a real terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.tui.fake_endpoint import FakeEndpoint

ROOT = Path(__file__).resolve().parents[2]

# The command as the dispatcher registers it, with the dispatcher's way of telling a user's mistake.
COMMAND = """
import sys, typer
from persona.errors import UserError
from scripts.chat import chat
app = typer.Typer()
app.command("chat")(chat)
try:
    app(args=sys.argv[1:])
except UserError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", COMMAND, *arguments]


def environment(fake: FakeEndpoint | None = None) -> dict[str, str]:
    url = {"GREENROOM_URL": fake.url} if fake else {}
    return {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **url}


def chat(
    fake: FakeEndpoint | None, *arguments: str, stdin: str | bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(*arguments),
        env=environment(fake),
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_message_is_answered_on_standard_output(fake: FakeEndpoint) -> None:
    fake.say("milo", "hey\nwhat's up")
    done = chat(fake, "milo", "hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hey\nwhat's up\n", b"")
    assert fake.requests[0]["messages"][0] == {"role": "user", "content": "hello", "name": "Juno Farrowby"}


def test_the_message_may_come_from_standard_input(fake: FakeEndpoint) -> None:
    done = chat(fake, "Milo Tarkwhistle", "--as", "Somebody", stdin="hello\nyou\n")
    assert done.returncode == 0
    message = fake.requests[0]["messages"][0]
    assert message == {"role": "user", "content": "hello\nyou", "name": "Somebody"}


def test_json_is_one_object(fake: FakeEndpoint) -> None:
    fake.say("milo", "שלום 😀\nyou")
    done = chat(fake, "milo", "hello", "--json")
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    assert json.loads(done.stdout) == {"persona": "milo", "reply": "שלום 😀\nyou", "usage": usage}
    assert done.stdout.count(b"\n") == 1


def test_escape_sequences_do_not_reach_the_terminal(fake: FakeEndpoint) -> None:
    fake.say_pieces("milo", ["safe\x1b", "[31", "m red", "\x1b]0;title\x07!"])
    assert chat(fake, "milo", "hello").stdout == b"safe red!\n"


def test_nothing_is_kept_and_no_screen_is_loaded(fake: FakeEndpoint, history_file: Path) -> None:
    watch = COMMAND + '\nassert not any(name.startswith("textual") for name in sys.modules)'
    watch = watch.replace("app(args=sys.argv[1:])", "app(args=sys.argv[1:], standalone_mode=False)")
    done = subprocess.run(
        [sys.executable, "-c", watch, "milo", "hello"], env=environment(fake), capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert not history_file.parent.exists()


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (
            (),
            None,
            "the messenger needs a terminal, and this is none; say it in one go, greenroom chat PERSONA",
        ),
        ((), "hello", "the messenger needs a terminal"),
        (("milo",), None, "the messenger needs a terminal"),
        (("milo",), " \n", "the messenger needs a terminal"),
        (("mlo", "hello"), None, "there is no persona “mlo”; near names: milo"),
        (("milo", " "), None, "the message is empty"),
        (("--json",), None, "--json needs a message"),
        (("milo", "hello", "--url", "ftp://x"), None, "is not an address of an endpoint"),
        (
            ("milo", "hello", "--url", "http://127.0.0.1:9/v1"),
            None,
            "nothing answers at http://127.0.0.1:9/v1;",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    fake: FakeEndpoint, arguments: tuple[str, ...], stdin: str | None, said: str
) -> None:
    done = chat(fake, *arguments, stdin=stdin)
    assert done.returncode == 2
    assert done.stdout == b""
    assert said in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("fault", ["401", "429", "500", "garbage", "html", "error event"])
def test_a_fault_is_one_line_and_exit_code_2(fake: FakeEndpoint, fault: str) -> None:
    fake.misbehave("milo", fault)
    done = chat(fake, "milo", "hello")
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_what_came_before_a_fault_is_printed(fake: FakeEndpoint) -> None:
    fake.misbehave("milo", "close")
    done = chat(fake, "milo", "hello")
    assert done.returncode == 2
    assert done.stdout == b"well then\nso\n"


def test_a_reader_that_leaves_early_is_no_error(fake: FakeEndpoint) -> None:
    fake.say("milo", "\n".join(["line"] * 400))
    with subprocess.Popen(
        command("milo", "hello"),
        env=environment(fake),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_help_says_what_it_can_do(fake: FakeEndpoint) -> None:
    done = chat(None, "--help")
    for part in (b"--url", b"--as", b"--json", b"persona", b"message", b"GREENROOM_API_KEY"):
        assert part in done.stdout


class Terminal:
    """A real pseudo-terminal with the command in it."""

    def __init__(self, fake: FakeEndpoint, *arguments: str) -> None:
        pid, self.fd = pty.fork()
        if pid == 0:  # the child becomes the command
            os.execvpe(sys.executable, command(*arguments), environment(fake))
        self.pid = pid
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.output = ""

    def read_until(self, text: str) -> None:
        """Read until `text` was painted, styles taken out."""
        end = time.monotonic() + 60
        while text not in re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", "", self.output):
            assert time.monotonic() < end, f"{text!r} never came: {self.output[-2000:]!r}"
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.output += os.read(self.fd, 65536).decode("utf-8", "replace")
                except OSError:  # the command has ended
                    assert text in self.output, f"{text!r} never came: {self.output[-2000:]!r}"

    def write(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def wait(self) -> int:
        """Read to the end and return the exit code."""
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                break
            if not data:
                break
            self.output += data.decode("utf-8", "replace")
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def test_a_whole_chat_in_a_real_terminal(fake: FakeEndpoint) -> None:
    fake.say("milo", "hello from milo")
    terminal = Terminal(fake, "milo")
    terminal.read_until("Message Milo Tarkwhistle")
    terminal.write("one\ntwo\r")  # Ctrl+J, then Enter, faster than anybody types
    terminal.read_until("hello from milo")
    terminal.write("\x11")  # Ctrl+Q
    assert terminal.wait() == 0
    assert fake.requests[0]["messages"][0]["content"] == "one\ntwo"
    assert "\x1b[?1049l" in terminal.output  # the screen was given back
    assert "Traceback" not in terminal.output


def test_an_unknown_persona_in_a_real_terminal(fake: FakeEndpoint) -> None:
    terminal = Terminal(fake, "mlo")
    assert terminal.wait() == 2
    assert "there is no persona “mlo”; near names: milo" in terminal.output
    assert "Traceback" not in terminal.output


@pytest.mark.parametrize("content", [b"no database, but text\n" * 100])
def test_a_broken_history_is_one_line_in_a_real_terminal(
    fake: FakeEndpoint, history_file: Path, content: bytes
) -> None:
    history_file.parent.mkdir()
    history_file.write_bytes(content)
    terminal = Terminal(fake)
    assert terminal.wait() == 2
    assert "file is not a database" in terminal.output
    assert terminal.output.count("\n") == 1
    assert history_file.read_bytes() == content
