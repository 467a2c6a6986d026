"""The OpenAI-compatible endpoint, as the client sees it: a list of personas and streamed replies.

    async with Endpoint("http://127.0.0.1:8844/v1") as endpoint:
        personas = await endpoint.personas()
        async for event in endpoint.reply("milo", [Utterance("user", "hey")]):
            ...

Whatever the other side does (refuses, hangs, sends garbage, leaves midway) comes out as EndpointError with
a reason and a hint. Proxies and .netrc are ignored: the only machine spoken to is the one in the address.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import httpx

from tui.contract import Persona, ReplyEvent, TextPiece, Utterance
from tui.errors import EndpointError
from tui.events import BadEventError, completion_events, decode, error_of, events_of, read_events
from tui.text import clean_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence
    from types import TracebackType

CONNECT_SECONDS = 5.0
LIST_SECONDS = 10.0
SILENCE_SECONDS = 120.0
"""Longest silence inside a reply; a cold model on a small machine reads a long prompt for a while."""
REPLY_LIMIT = 100_000
"""Longest reply in characters; a model that never stops must not fill memory and disk."""
BODY_LIMIT = 4 * 1024 * 1024


class Endpoint:
    """One endpoint and the connections to it; use it as an async context manager or call `close`."""

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        list_seconds: float = LIST_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
        reply_limit: int = REPLY_LIMIT,
    ) -> None:
        """Prepare, without connecting; limits are in seconds, `reply_limit` in characters."""
        self.url = url
        self._list_seconds = list_seconds
        self._silence_seconds = silence_seconds
        self._reply_limit = reply_limit
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        # The system's certificates (which honour SSL_CERT_FILE), read only when they will be needed.
        verify = ssl.create_default_context() if urlsplit(url).scheme == "https" else False
        self._http = httpx.AsyncClient(
            headers=headers,
            verify=verify,
            trust_env=False,
            timeout=httpx.Timeout(silence_seconds, connect=connect_seconds),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; a reply under way ends with an EndpointError."""
        await self._http.aclose()

    async def personas(self) -> list[Persona]:
        """Return what the endpoint serves, in its order; raises EndpointError."""
        with self._in_words(self._list_seconds):
            timeout = httpx.Timeout(self._list_seconds, connect=self._http.timeout.connect)
            async with self._http.stream("GET", f"{self.url}/models", timeout=timeout) as response:
                await self._check(response)
                payload = decode(await self._body(response))
        entries = payload.get("data") if isinstance(payload, dict) else None
        if not isinstance(entries, list):
            raise EndpointError(
                f"{self.url}/models did not answer with a list of models",
                hint="is that the address of an OpenAI-compatible endpoint? it usually ends in /v1",
            )
        found = (Persona.from_model(entry) for entry in entries)
        return list({persona.id: persona for persona in found if persona}.values())

    async def reply(self, model: str, messages: Sequence[Utterance]) -> AsyncGenerator[ReplyEvent]:
        """Yield the reply's text pieces as they arrive, then its usage when the endpoint tells it.

        Ends normally only when the endpoint said that the reply is complete; raises EndpointError in
        every other case, after what had arrived was yielded. Closing the iterator stops the reply.
        """
        body = {
            "model": model,
            "messages": [message.as_openai() for message in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        length = 0
        complete = False
        with self._in_words(self._silence_seconds):
            async with self._http.stream("POST", f"{self.url}/chat/completions", json=body) as response:
                await self._check(response)
                if "text/event-stream" not in response.headers.get("content-type", ""):
                    for event in completion_events(await self._body(response)):
                        yield event
                    return
                async for data in read_events(response.aiter_bytes()):
                    if data == "[DONE]":
                        return
                    events, finished = events_of(decode(data))
                    complete = complete or finished
                    for event in events:
                        yield event
                        length += len(event.text) if isinstance(event, TextPiece) else 0
                    if length > self._reply_limit:
                        raise EndpointError(
                            f"the reply went past {self._reply_limit:,} characters and was cut there",
                            hint="the model may be stuck in a loop",
                        )
        if not complete:
            raise EndpointError(
                "the endpoint closed the connection in the middle of the reply",
                hint="look at what it printed last where it runs",
            )

    async def _body(self, response: httpx.Response) -> bytes:
        """Read a whole body that ought to be small."""
        body = b""
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > BODY_LIMIT:
                raise BadEventError("an answer of more than 4 MiB")
        return body

    async def _check(self, response: httpx.Response) -> None:
        """Raise EndpointError for anything but a 200."""
        if response.status_code == 200:
            return
        said = ""
        with contextlib.suppress(httpx.HTTPError, BadEventError):
            said = error_of(await self._body(response))
        raise _refusal(response, said)

    @contextlib.contextmanager
    def _in_words(self, seconds: float) -> Iterator[None]:
        """Turn what httpx raises into one line about the endpoint and one about what to do."""
        try:
            yield
        except httpx.ConnectTimeout as error:
            raise EndpointError(
                f"{self.url} did not answer the call in {self._http.timeout.connect:g} seconds",
                hint="is the address right, and the machine awake?",
            ) from error
        except httpx.TimeoutException as error:
            raise EndpointError(
                f"{self.url} went silent for {seconds:g} seconds", hint="it may be busy or stuck"
            ) from error
        except httpx.ConnectError as error:
            raise EndpointError(
                f"nothing answers at {self.url}", hint="start it with “greenroom serve” or “make serve”"
            ) from error
        except httpx.RemoteProtocolError as error:
            raise EndpointError(
                "the endpoint closed the connection before it was done",
                hint="look at what it printed last where it runs",
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            reason = clean_name(str(error) or type(error).__name__, 160)
            raise EndpointError(f"talking to {self.url} failed: {reason}") from error
        except BadEventError as error:
            raise EndpointError(
                f"the endpoint sent {error}", hint="is that the address of an OpenAI-compatible endpoint?"
            ) from error


def _refusal(response: httpx.Response, said: str) -> EndpointError:
    """Say what an HTTP status means here; `said` is the endpoint's own message, if any."""
    status = response.status_code
    tail = f": {said}" if said else ""
    message = f"the endpoint answered with status {status}{tail}"
    hint = ""
    if status in (401, 403):
        message, hint = f"the endpoint wants another key ({status}{tail})", "set GREENROOM_API_KEY"
    elif status == 404:
        message = f"the endpoint does not know this persona or address (404{tail})"
        hint = "the address usually ends in /v1; the list of personas may have changed"
    elif status == 429:
        wait = clean_name(response.headers.get("retry-after", ""), 40)
        message = f"the endpoint is busy (429{tail})"
        hint = f"it asks to wait {wait} seconds" if wait.isdigit() else "wait a moment"
    elif 300 <= status < 400:
        hint = "it points somewhere else; give that address with --url"
    elif status >= 500:
        message, hint = f"the endpoint failed ({status}{tail})", "look at what it printed where it runs"
    return EndpointError(message, hint=hint, status=status)
