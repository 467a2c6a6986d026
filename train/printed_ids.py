"""Ids for messages of formats that have none, made from what is printed."""

from collections import OrderedDict
from hashlib import blake2b

_new_hash = blake2b(digest_size=8).copy
"""Copied for each id: setting up a hash takes longer than hashing a message."""
HELD_TIMES = 10_000
"""Times that are remembered. What is alike further apart than that in a file is the same record twice."""


def digest(*parts: str) -> str:
    """Return a short id that is the same for the same parts."""
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


class PrintedIds:
    """Numbers what is alike: the second "ok" of one person in one minute is another message.

    The id holds the text, so that it does not depend on where an export begins; the slot does not, so that an edited
    or deleted version of a message is recognised as one. Both begin with the time, so that messages in their order
    are added at the end of the store's tables.
    """

    def __init__(self) -> None:
        """Begin without any."""
        # By time, and only the latest: a file of millions of messages is not held to number a few that are alike.
        self._times: OrderedDict[str, dict[str, int]] = OrderedDict()
        self._time: str | None = None
        self._seen: dict[str, int] = {}

    def next(self, time: str, who: str, what: str) -> tuple[str, str]:
        """Return the id and the slot of the next message at `time` (as printed) by `who`, reading `what`."""
        if time != self._time:
            self._turn_to(time)
        seen = self._seen
        alike = f"{who}\0{what}"
        nth = seen[who] = seen.get(who, 0) + 1
        same = seen[alike] = seen.get(alike, 0) + 1
        hashed = _new_hash()
        try:
            hashed.update(f"{same}{alike}".encode())
        except UnicodeEncodeError:
            # Half of a letter. Asking for such in the first place takes three times as long.
            hashed.update(f"{same}{alike}".encode("utf-8", "surrogatepass"))
        return f"{time} {hashed.hexdigest()}", f"{time} {nth} {who}"

    def _turn_to(self, time: str) -> None:
        self._time = time
        seen = self._times.get(time)
        if seen is None:
            seen = self._times[time] = {}
            if len(self._times) > HELD_TIMES:
                self._times.popitem(last=False)
        self._seen = seen
