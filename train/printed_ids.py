"""Ids for messages of formats that have none, made from what is printed."""

from hashlib import blake2b

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
        self._times: dict[str, dict[str, int]] = {}

    def next(self, time: str, who: str, what: str) -> tuple[str, str]:
        """Return the id and the slot of the next message at `time` (as printed) by `who`, reading `what`."""
        seen = self._times.get(time)
        if seen is None:
            seen = self._times[time] = {}
            if len(self._times) > HELD_TIMES:
                del self._times[next(iter(self._times))]
        alike = f"{who}\0{what}"
        nth = seen[who] = seen.get(who, 0) + 1
        same = seen[alike] = seen.get(alike, 0) + 1
        ident = blake2b(f"{same}{alike}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return f"{time} {ident}", f"{time} {nth} {who}"
