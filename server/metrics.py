"""What the endpoint does, in numbers, for Prometheus: by persona, and nothing about what anybody said.

A stream is not parsed: the one chunk that carries the usage is told by its bytes. JSON escapes the quotes in what a
model says, so nothing that it says can look like that.
"""

from __future__ import annotations

import re
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import Message, Send

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_USAGE = b'"usage":{'
_NO_CHOICES = b'"choices":[]'
_TOKENS = re.compile(rb'"(prompt_tokens|completion_tokens)":\s*(\d+)')
_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The counters of one endpoint."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.registry = CollectorRegistry()
        label = ["persona"]
        r = self.registry
        self.requests = Counter("greenroom_requests", "Answered requests.", [*label, "status"], registry=r)
        self.tokens_in = Counter("greenroom_prompt_tokens", "Tokens of prompts.", label, registry=r)
        self.tokens_out = Counter("greenroom_completion_tokens", "Tokens of replies.", label, registry=r)
        self.first = Histogram(
            "greenroom_time_to_first_token_seconds",
            "From the whole request to the first bytes of the reply (all of it, where it is not streamed).",
            label,
            registry=r,
            buckets=_SECONDS,
        )
        self.in_flight = Gauge("greenroom_requests_in_flight", "Requests under way.", label, registry=r)

    def page(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)


class Measured:
    """One reply on its way: passes it on, and counts it when it is over.

    Use it as a context manager around the engine's answer, with `send` in place of the server's.
    """

    def __init__(self, metrics: Metrics, persona: str, send: Send, *, usage_wanted: bool) -> None:
        """`usage_wanted`: whether the client asked for the usage; a chunk with nothing else is kept back if not."""
        self._metrics, self._persona, self._send = metrics, persona, send
        self._usage_wanted = usage_wanted
        self._status = 499  # as nginx counts a client that left before there was an answer
        self._usage: dict[bytes, int] = {}
        self._waiting = True
        self._began = time.perf_counter()

    def __enter__(self) -> Measured:
        """Count it as under way."""
        self._metrics.in_flight.labels(self._persona).inc()
        return self

    def __exit__(self, *_: object) -> None:
        """Count it as answered."""
        self._metrics.in_flight.labels(self._persona).dec()
        self._metrics.requests.labels(self._persona, str(self._status)).inc()
        self._metrics.tokens_in.labels(self._persona).inc(self._usage.get(b"prompt_tokens", 0))
        self._metrics.tokens_out.labels(self._persona).inc(self._usage.get(b"completion_tokens", 0))

    async def send(self, message: Message) -> None:
        """Pass on a message of the reply."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] == "http.response.body":
            body: bytes = message.get("body", b"")
            if body and self._waiting:
                self._waiting = False
                if self._status < 400:
                    self._metrics.first.labels(self._persona).observe(time.perf_counter() - self._began)
            where = body.rfind(_USAGE)
            if where >= 0:
                self._usage = {found[1]: int(found[2]) for found in _TOKENS.finditer(body, where)}
                if not self._usage_wanted and _NO_CHOICES in body and message.get("more_body"):
                    return
        await self._send(message)
