"""Who may ask: keys and their limits, pages of other origins, and how many requests are let in at all."""

from __future__ import annotations

import ipaddress
import logging
import math
import time
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from starlette.types import Scope

from persona.errors import UserError
from server.envelope import RequestError
from server.keys import Key, digest, read_keys

log = logging.getLogger("greenroom")

SETTINGS_VARIABLE = "GREENROOM_ACCESS"
"""Environment variable with the settings as JSON: vLLM makes the layer itself and passes it nothing."""

OPEN_TO_ALL = frozenset({"/health"})


class Settings(msgspec.Struct, frozen=True):
    """How an endpoint is guarded.

    Attributes:
        keys: the file of keys that requests must have one of; None asks for none.
        cors: origins whose pages may ask, or "*" for all.
        under_way: replies written or waiting for a slot, of all clients together; more are told to come later.
        audited: whether only personas are served that have passed an audit.
        guard: words in a row of training text that a reply is stopped at; 0 stops none.
    """

    keys: str | None = None
    cors: tuple[str, ...] = ()
    under_way: int = 64
    audited: bool = False
    guard: int = 0


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Caller(msgspec.Struct, frozen=True):
    """Who asks.

    Attributes:
        name: the key's, or "" where none is needed.
        key: what it may, or None for everything.
    """

    name: str = ""
    key: Key | None = None

    def may_ask(self, persona: str) -> bool:
        """Whether this caller may know of the persona with this id."""
        return self.key is None or self.key.personas is None or persona in self.key.personas

    @property
    def limited(self) -> bool:
        """Whether there are personas that this caller may not know of."""
        return self.key is not None and self.key.personas is not None


class Access:
    """The guard of one endpoint. A key that is made or revoked counts from the next request on."""

    def __init__(self, settings: Settings) -> None:
        """Read the keys.

        Raises:
            UserError: the file of keys is damaged.
        """
        self.settings = settings
        self._path = Path(settings.keys) if settings.keys is not None else None
        self._by_hash: dict[str, Caller] = {}
        self._seen: tuple[int, int, int] | None = None
        self._under_way: Counter[str] = Counter()
        self._buckets: dict[str, tuple[float, float]] = {}
        if self._path is not None:
            self._take_over(read_keys(self._path))
            self._seen = self._look()

    def caller(self, scope: Scope) -> Caller:
        """Who asks.

        Raises:
            RequestError: nobody who may (401), or a page of an origin that may not (403).
        """
        headers = dict(scope["headers"])
        self._check_origin(headers)
        if self._path is None or scope["path"] in OPEN_TO_ALL:
            return Caller()
        self._read_again()
        kind, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        caller = self._by_hash.get(digest(key.strip())) if kind.lower() == "bearer" else None
        if caller is None:
            raise RequestError(
                "This endpoint needs a key: `Authorization: Bearer …`." if not key else "This key is not valid.",
                code="invalid_api_key",
                status=401,
                headers={"www-authenticate": "Bearer"},
            )
        return caller

    @contextmanager
    def admitted(self, caller: Caller) -> Generator[None]:
        """Let a request for a reply in, for as long as it is under way.

        Raises:
            RequestError: too many at once, or too many in this minute (429).
        """
        if self._under_way.total() >= self.settings.under_way:
            raise _later("The endpoint is busy: too many requests are waiting.", 2)
        key = caller.key
        if key is not None and key.at_once is not None and self._under_way[caller.name] >= key.at_once:
            raise _later(f"This key may have {key.at_once} requests under way.", 1)
        if key is not None and key.per_minute is not None:
            self._take_from_bucket(caller.name, key.per_minute)
        self._under_way[caller.name] += 1
        try:
            yield
        finally:
            self._under_way[caller.name] -= 1

    def _take_from_bucket(self, name: str, per_minute: int) -> None:
        """A bucket that holds a minute's requests and is filled evenly."""
        now = time.monotonic()
        left, since = self._buckets.get(name, (float(per_minute), now))
        left = min(per_minute, left + (now - since) * per_minute / 60)
        if left < 1:
            self._buckets[name] = (left, now)
            raise _later(f"This key may ask {per_minute} times a minute.", (1 - left) * 60 / per_minute)
        self._buckets[name] = (left - 1, now)

    def _check_origin(self, headers: Mapping[bytes, bytes]) -> None:
        # A page on the web can reach this machine's loopback address through its reader's browser; the browser says
        # which page it is.
        origin = headers.get(b"origin", b"").decode("latin-1")
        if not origin or "*" in self.settings.cors or origin in self.settings.cors:
            return
        try:
            host = urlsplit(origin).hostname or ""
        except ValueError:
            host = ""  # no origin that a browser would send
        if not is_loopback(host):
            raise RequestError(
                f"Pages of {origin[:80]} may not ask here; see --cors.", code="origin_not_allowed", status=403
            )

    def _look(self) -> tuple[int, int, int] | None:
        assert self._path is not None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _read_again(self) -> None:
        seen = self._look()
        if seen == self._seen:
            return
        self._seen = seen
        assert self._path is not None
        try:
            self._take_over(read_keys(self._path))
        except UserError as error:
            # Whom the damaged file would have shut out is not known, so nobody gets in until it is mended.
            log.error("no key is accepted: %s", error)
            self._by_hash = {}

    def _take_over(self, keys: Mapping[str, Key]) -> None:
        self._by_hash = {key.sha256: Caller(name, key) for name, key in keys.items()}


def _later(message: str, seconds: float) -> RequestError:
    headers = {"retry-after": str(max(1, math.ceil(seconds)))}
    return RequestError(message, code="rate_limit_exceeded", status=429, headers=headers)
