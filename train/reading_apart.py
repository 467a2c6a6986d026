"""Reads a large export in a process of its own while this one writes the store: each takes about half of the time.

The other process hands on what `Source.read` yields, in its order, over its standard output, and waits while nobody
takes it. It ends when this one does, however that ends; it writes nothing but copies in the scratch folder.
"""

import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from typing import IO, NamedTuple

import msgspec

from persona.errors import UserError
from train.export_files import ExportPath, size_of
from train.messages import Message, Reading, Record, Source
from train.sources import sources

LEAST_BYTES = 8 << 20
"""Of a smaller export much would be read by the time that another process has started."""
_HELD = 2_000
"""Records handed over at once, where they do not come in lists."""
_PROGRESS_BYTES = 1 << 20
_START = "import sys; sys.path[:] = {!r}; from train.reading_apart import hand_on; hand_on()"
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Message]).decode


class _Packed(NamedTuple):
    """Messages on their way: `together` where the source yielded them as a list."""

    messages: bytes | list[Message]
    """A list only where what is in it cannot be packed."""
    together: bool

    def unpacked(self) -> list[Message]:
        return _unpack(self.messages) if isinstance(self.messages, bytes) else self.messages


class _Task(NamedTuple):
    source: str
    path: ExportPath
    reading: Reading
    counts: bool
    """Whether somebody wants to know how much was read."""


def read_apart(source: Source, path: ExportPath, reading: Reading) -> Iterator[Record]:
    """Yield what `source.read(path, reading)` yields, and raise what it raises; at once if that is worth it."""
    if not _is_worth_it(source, path):
        yield from source.read(path, reading)
        return
    task = _Task(source.name, path, msgspec.structs.replace(reading, progress=None), reading.progress is not None)
    command = [sys.executable, "-c", _START.format(sys.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with process.stdin as stdin:
                pickle.dump(task, stdin)
            yield from _received(process.stdout, path, reading)
        finally:
            # Where nobody wants the rest, this ends the other process too.
            process.stdout.close()


def _is_worth_it(source: Source, path: ExportPath) -> bool:
    # A source that is not one of ours is not found in another process.
    return (os.cpu_count() or 1) > 1 and sources().get(source.name) is source and size_of(path) >= LEAST_BYTES


def _received(stream: IO[bytes], path: ExportPath, reading: Reading) -> Iterator[Record]:
    while True:
        try:
            items = pickle.load(stream)
        except (EOFError, pickle.UnpicklingError, BrokenPipeError):
            raise UserError(
                f"The process that read {path} was ended.", "If memory ran out, close something, and import it again."
            ) from None
        for item in items:
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            if isinstance(item, int):
                if reading.progress is not None:
                    reading.progress(item)
            elif not isinstance(item, _Packed):
                yield item
            elif item.together:
                yield item.unpacked()
            else:
                yield from item.unpacked()


def hand_on() -> None:
    """Read what the process that started this one asks for, and hand it on."""
    # Control-C is for the process that was started by hand, and ends this one by no longer listening.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    task: _Task = pickle.load(sys.stdin.buffer)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        _send(task, _Sender(out))
        out.close()
    except BrokenPipeError:
        # What is left in the buffer has nowhere to go.
        os._exit(0)


def _send(task: _Task, sender: "_Sender") -> None:
    try:
        reading = msgspec.structs.replace(task.reading, progress=sender.count if task.counts else None)
        for record in sources()[task.source].read(task.path, reading):
            sender.add(record)
    except BrokenPipeError:
        raise
    except Exception as error:
        error.add_note(traceback.format_exc())
        sender.end(error)
    else:
        sender.end(None)


class _Sender:
    def __init__(self, out: IO[bytes]) -> None:
        self.out = out
        self.items: list[object] = []
        self.messages: list[Message] = []
        self.held = 0
        self.unsent = 0

    def add(self, record: Record) -> None:
        if type(record) is Message:
            self.messages.append(record)
            self.held += 1 + (len(record.text) >> 10)
        else:
            self._pack_messages()
            if type(record) is list:
                self.items.append(_packed(record, together=True))
                self.held = _HELD
            else:
                self.items.append(record)
                self.held += 1
        if self.held >= _HELD:
            self._flush()

    def count(self, read: int) -> None:
        self.items.append(read)
        self.unsent += read
        if self.unsent >= _PROGRESS_BYTES:
            self._flush()

    def end(self, error: Exception | None) -> None:
        self._pack_messages()
        self.items.append(error)
        self._flush()

    def _pack_messages(self) -> None:
        if self.messages:
            self.items.append(_packed(self.messages, together=False))
            self.messages = []

    def _flush(self) -> None:
        self._pack_messages()
        pickle.dump(self.items, self.out, pickle.HIGHEST_PROTOCOL)
        self.out.flush()
        self.items.clear()
        self.held = self.unsent = 0


def _packed(messages: list[Message], *, together: bool) -> _Packed:
    try:
        return _Packed(_pack(messages), together)
    except (UnicodeEncodeError, OverflowError):
        # Halves of letters and numbers of no computer, which the store drops or refuses.
        return _Packed(messages, together)
