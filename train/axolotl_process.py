"""One `axolotl train`: started, its output shown and kept, stopped at a checkpoint when asked to.

The process gets a session of its own, so that Ctrl+C in the terminal reaches Greenroom alone. axolotl itself would
save the half-trained adapter as if it were the result and leave with code 0.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping

from persona.paths import PRIVATE_FILE_MODE
from train.failures import ATTEMPT
from train.runs import TRIGGER, Stage, last_checkpoint

BEGUN = b"Starting trainer..."
COMPLETED = b"Training completed!"
_CLOSING_SECONDS = 10.0


class AxolotlProcess:
    """A running stage.

    Attributes:
        stage: what it trains.
        begun: when it came to the first step, by `time.monotonic`; None before.
        completed: whether axolotl said that it came to the end of the training.
    """

    def __init__(
        self,
        stage: Stage,
        command: list[str],
        environ: Mapping[str, str],
        show: Callable[[bytes], None],
        lock: int | None = None,
    ) -> None:
        """Start `command`; what it prints goes to `show` as it comes and into the stage's log.

        Args:
            stage: where the log is.
            command: what to run.
            environ: its environment.
            show: takes what was printed, in pieces.
            lock: a file descriptor that the process keeps open, so that it holds the run's lock.
        """
        self.stage = stage
        self.begun: float | None = None
        self.completed = False
        self._asked: float | None = None
        self._show = show
        self._log = stage.log.open("ab")
        stage.log.chmod(PRIVATE_FILE_MODE)
        self._log.write(f"{ATTEMPT} {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode())
        self._process = subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=() if lock is None else (lock,),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        line = b""
        with self._log:
            while piece := os.read(self._process.stdout.fileno(), 1 << 16):
                self._show(piece)
                *lines, line = (line + piece).split(b"\n")
                for one in lines:
                    self._keep(one)
            self._keep(line)

    def _keep(self, line: bytes) -> None:
        """Put a line into the log: of a progress bar, which draws over itself, what was to be seen at the end."""
        # axolotl's own log begins with the time; what a bar drew before it on the same line does not matter.
        if BEGUN in line:
            self.begun = self.begun or time.monotonic()
        self.completed = self.completed or COMPLETED in line
        seen = next((part for part in reversed(line.split(b"\r")) if part.strip()), b"")
        if seen:
            self._log.write(seen.rstrip() + b"\n")
            self._log.flush()

    def poll(self) -> int | None:
        """The exit code once it has ended and all it said is in the log, else None."""
        code = self._process.poll()
        if code is not None:
            self._reader.join(_CLOSING_SECONDS)  # a child that outlives it may hold the pipe
        return code

    def ask_to_stop(self) -> bool:
        """Ask for a checkpoint, after which `end_if_saved` ends it; False if there is nothing to save yet."""
        if self.begun is None or self._process.poll() is not None:
            return False
        self._asked = time.time()
        with contextlib.suppress(OSError):
            (self.stage.out / TRIGGER).touch()
        return True

    def end_if_saved(self) -> bool:
        """End the process if the checkpoint that was asked for is whole; whether it did."""
        if self._asked is None or (self.stage.out / TRIGGER).exists():
            return False
        saved = last_checkpoint(self.stage.out)
        if saved is None or (saved / "trainer_state.json").stat().st_mtime < self._asked:
            return False
        time.sleep(1)  # what axolotl writes after the trainer's state is small
        self.end()
        return True

    def end(self) -> None:
        """End it with all its children: first politely, then for good."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_CLOSING_SECONDS)
                break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # a launcher can leave before its workers


def said(stage: Stage, last: int = 200_000) -> str:
    """The end of what the stage printed, at most `last` bytes, without the codes that colour it."""
    try:
        with stage.log.open("rb") as log:
            log.seek(max(0, stage.log.stat().st_size - last))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
