"""Reads a large export in a process of its own while this one writes the store: each takes about half of the time.

The other process hands on what `Source.read` yields, in its order, over its standard output, and waits while nobody
takes it. It ends when this one does, however that ends; it writes nothing but copies in the scratch folder.
"""

import pickle
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from persona.errors import UserError
from train.apart import Apart, Channel, is_worth_it
from train.export_files import ExportPath, size_of
from train.messages import Message, Reading, Record, Source
from train.sources import sources

LEAST_BYTES = 8 << 20
"""Of a smaller export much would be read by the time that another process has started."""
_HELD = 2_000
"""Records handed over at once, where they do not come in lists."""
_PROGRESS_BYTES = 1 << 20
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
    ended = UserError(
        f"The process that read {path} was ended.", "If memory ran out, close something, and import it again."
    )
    with Apart(_hand_on, task, ended=ended) as other:
        while (frame := other.receive()) is not None:
            for item in pickle.loads(frame):
                if isinstance(item, int):
                    if reading.progress is not None:
                        reading.progress(item)
                elif not isinstance(item, _Packed):
                    yield item
                elif item.together:
                    yield item.unpacked()
                else:
                    yield from item.unpacked()


def _is_worth_it(source: Source, path: ExportPath) -> bool:
    # A source that is not one of ours is not found in another process.
    return sources().get(source.name) is source and is_worth_it(size_of(path), LEAST_BYTES)


def _hand_on(channel: Channel, task: _Task) -> None:
    sender = _Sender(channel)
    reading = msgspec.structs.replace(task.reading, progress=sender.count if task.counts else None)
    try:
        for record in sources()[task.source].read(task.path, reading):
            sender.add(record)
    finally:
        # What came before an error is handed on too.
        sender.flush()


class _Sender:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel
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
            self.flush()

    def count(self, read: int) -> None:
        self.items.append(read)
        self.unsent += read
        if self.unsent >= _PROGRESS_BYTES:
            self.flush()

    def _pack_messages(self) -> None:
        if self.messages:
            self.items.append(_packed(self.messages, together=False))
            self.messages = []

    def flush(self) -> None:
        self._pack_messages()
        self.channel.send(pickle.dumps(self.items, pickle.HIGHEST_PROTOCOL))
        self.items.clear()
        self.held = self.unsent = 0


def _packed(messages: list[Message], *, together: bool) -> _Packed:
    try:
        return _Packed(_pack(messages), together)
    except (UnicodeEncodeError, OverflowError):
        # Halves of letters and numbers of no computer, which the store drops or refuses.
        return _Packed(messages, together)
