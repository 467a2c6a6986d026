"""Runs a function of ours in a process of its own, so that two cores share the work; frames of bytes go both ways.

The other process ends when this one does, however that ends: it finds its input without an end, or nobody who takes
what it sends. What it raises is raised here.

    with Apart(function, argument) as other:
        other.send(b"a frame")
        other.receive()
        other.result()

`function(Channel, *arguments)` is found by its name there, and its arguments and result are pickled.
"""

import fcntl
import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, Self

from persona.errors import UserError

_START = "import sys; sys.path[:] = {!r}; from train.apart import run; run()"
_END = (1 << 64) - 1
"""Stands in the place of a frame's length where no more frames come; the outcome follows on the way back."""
_PIPE_BYTES = 1 << 20
_ENDED = UserError("A process that did half of the work was ended.", "If memory ran out, close something; try again.")


class NoMoreWantedError(Exception):
    """The other process has ended, or wants no more."""


def is_worth_it(size: int, least: int) -> bool:
    """Return whether work of a size (messages, bytes) is worth another process: less would be half done before it
    starts."""
    return (os.cpu_count() or 1) > 1 and size >= least


class Channel:
    """Frames of bytes to and from another process."""

    def __init__(self, source: IO[bytes], target: IO[bytes]) -> None:
        """Read frames from `source` and write them to `target`."""
        self._source = source
        self._target = target

    def send(self, frame: bytes) -> None:
        """Hand on a frame; raises NoMoreWantedError when nobody takes it."""
        self._write(len(frame), frame)

    def receive(self) -> bytes | None:
        """Return the next frame, None after the last; raises NoMoreWantedError where they end without an end."""
        size = int.from_bytes(self._read(8), "little")
        return None if size == _END else self._read(size)

    def end(self, outcome: bytes = b"") -> None:
        """Say that no more frames come."""
        self._write(_END, outcome)

    def rest(self) -> bytes:
        """Return what follows the last frame."""
        return self._source.read()

    def _write(self, size: int, content: bytes) -> None:
        try:
            self._target.write(size.to_bytes(8, "little"))
            self._target.write(content)
            self._target.flush()
        except BrokenPipeError as error:
            raise NoMoreWantedError from error

    def _read(self, size: int) -> bytes:
        content = self._source.read(size)
        if len(content) < size:
            raise NoMoreWantedError
        return content


class Apart:
    """A function that runs in a process of its own for as long as this is entered."""

    def __init__(
        self,
        function: Callable[..., Any],
        *arguments: object,
        ended: UserError = _ENDED,
    ) -> None:
        """Start `function(Channel, *arguments)`; `ended` is raised where something else ends it."""
        self._ended = ended
        command = [sys.executable, "-c", _START.format(sys.path)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        _widen(self._process.stdin)
        _widen(self._process.stdout)
        self._channel = Channel(self._process.stdout, self._process.stdin)
        self._sending = True
        try:
            pickle.dump((function, arguments), self._process.stdin, pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
        except BrokenPipeError:
            # Whatever befell it is told when a result is asked for.
            self._sending = False

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End the other process: where it has not been told to end well, it finds that nobody is there."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
        self._process.wait()

    def send(self, frame: bytes) -> None:
        """Hand a frame to the function; raises what the function raised."""
        try:
            self._channel.send(frame)
        except NoMoreWantedError:
            self._sending = False
            self.result()
            raise

    def receive(self) -> bytes | None:
        """Return the next frame that the function sent, None after its last; raises what it raised."""
        try:
            frame = self._channel.receive()
        except NoMoreWantedError:
            raise self._ended from None
        if frame is None:
            self._outcome()
        return frame

    def result(self) -> Any:
        """Say that no more frames come, pass over those that the function still sends, and return what it returned."""
        if self._sending:
            self._sending = False
            with suppress(NoMoreWantedError):
                self._channel.end()
        try:
            while self._channel.receive() is not None:
                pass
        except NoMoreWantedError:
            raise self._ended from None
        return self._outcome()

    def _outcome(self) -> Any:
        try:
            result, error = pickle.loads(self._channel.rest())
        except (EOFError, pickle.UnpicklingError):
            raise self._ended from None
        if error is not None:
            raise error
        return result


def run() -> None:
    """Run the function that the process that started this one asks for."""
    # Control-C is for the process that was started by hand, and ends this one by no longer being there.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = Channel(sys.stdin.buffer, os.fdopen(os.dup(1), "wb"))
    # What a library prints is no frame.
    os.dup2(2, 1)
    try:
        function, arguments = pickle.load(sys.stdin.buffer)
        result, error = function(channel, *arguments), None
    except (NoMoreWantedError, EOFError):
        os._exit(0)
    except Exception as raised:
        raised.add_note(traceback.format_exc())
        result, error = None, raised
    try:
        channel.end(pickle.dumps((result, error), pickle.HIGHEST_PROTOCOL))
    except NoMoreWantedError:
        # What is left in the buffer has nowhere to go.
        os._exit(0)


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold a frame, so that neither side waits for the other to begin; where the system knows how."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
