"""What stands between a client and LiteLLM's proxy, inside the proxy's process: `python -m server.gateway.guard …`.

LiteLLM answers a wrong key with its own failure (500) where it has no database, lets a request pick who answers by
more ways than `model`, and serves some hundred routes. The guard asks for the key itself, refuses what would choose
another model, endpoint or key, and without a database lets only the routes of replies, models and health through.
"""

from __future__ import annotations

import hmac
import os
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from persona.errors import UserError
from server.access import Access, Settings
from server.envelope import RequestError
from server.gateway.configuration import MASTER_KEY
from server.layer import MAX_BODY_BYTES, MODELS, REPLIES

OPEN = frozenset({"/health/liveliness", "/health/liveness", "/health/readiness"})

ELSEWHERE = frozenset(
    "api_base base_url api_key api_version organization custom_llm_provider model_list user_config fallbacks "
    "context_window_fallbacks content_policy_fallbacks default_fallbacks litellm_credential_name litellm_params "
    "deployment_id specific_deployment model_info mock_response mock_testing_fallbacks extra_headers headers "
    "extra_query".split()
)
"""Parameters of LiteLLM's that say who answers, or with whose key, beside `model`."""

_SAID = frozenset({"model", "messages", "prompt", "input", "instructions", "stream"})
"""What `extra_body` would put in the place of the request's own."""


class Guard:
    """ASGI middleware around LiteLLM's proxy."""

    def __init__(self, app: ASGIApp, key: str, *, database: bool = False) -> None:
        """Guard `app`.

        Args:
            app: the proxy.
            key: the master key.
            database: whether LiteLLM has keys of its own, and the routes that make them are wanted.
        """
        self._app = app
        self._key = key.encode()
        self._database = database
        self._origins = Access(Settings())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            if scope["type"] != "http":
                raise RequestError("There is no such route here.", status=404)
            self._check(scope)
            if scope["method"] == "POST" and scope["path"].endswith(("/completions", "/responses")):
                body = await _read(receive)
                check_body(body)
                # A `model` in the address would count before the one in the body, and a body that is said to be a form
                # would be read as one, whatever was found in it here.
                others = [header for header in scope["headers"] if header[0] != b"content-type"]
                headers = [*others, (b"content-type", b"application/json")]
                scope = {**scope, "query_string": b"", "headers": headers}
                receive = _again(body, receive)
        except RequestError as error:
            await error.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        self._origins.caller(scope)
        path = scope["path"]
        if path in OPEN:
            return
        if self._database:
            return  # LiteLLM knows the keys, and says who may do what
        given = dict(scope["headers"]).get(b"authorization", b"")
        kind, _, key = given.partition(b" ")
        if kind.lower() != b"bearer" or not hmac.compare_digest(key.strip(), self._key):
            raise RequestError(
                "This gateway needs its master key: `Authorization: Bearer …`.",
                code="invalid_api_key",
                status=401,
                headers={"www-authenticate": "Bearer"},
            )
        if path not in REPLIES and path != MODELS and not path.startswith(f"{MODELS}/"):
            raise RequestError(f"There is no {path[:80]} here.", status=404)


def check_body(body: bytes) -> None:
    """See that nothing but `model` says who answers.

    Raises:
        RequestError: it is no JSON object, or something else does.
    """
    try:
        request = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise RequestError(f"The request is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise RequestError("The request is not a JSON object.")
    if not isinstance(request.get("model"), str):
        raise RequestError("`model` is the id of a persona or model.", param="model")
    _refuse(request, ELSEWHERE, "")
    extra: Any = request.get("extra_body")
    if extra is not None and not isinstance(extra, dict):
        raise RequestError("`extra_body` is no object.", param="extra_body")
    _refuse(extra or {}, ELSEWHERE | _SAID, "extra_body.")


def _refuse(said: dict[str, Any], words: frozenset[str], where: str) -> None:
    for name in said:
        if name in words:
            message = f"`{where}{name}` is not for a request to say here: `model` alone picks who answers."
            raise RequestError(message, param=f"{where}{name}")


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise RequestError("The client left.")
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise RequestError(f"The request is longer than {MAX_BODY_BYTES} bytes.", status=413)
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """`receive` as if nobody had read the body yet."""
    read = False

    async def first() -> Message:
        nonlocal read
        if read:
            return await receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return first


def main() -> None:
    """LiteLLM's own command, with the guard around its application."""
    from litellm.proxy import proxy_server
    from litellm.proxy.common_utils import banner
    from litellm.proxy.proxy_cli import run_server

    key = os.environ.get(MASTER_KEY)
    if not key:
        raise UserError(f"{MASTER_KEY} is not set.", "`greenroom gateway` sets it.")
    proxy_server.app.add_middleware(Guard, key=key, database="DATABASE_URL" in os.environ)
    banner.show_banner = lambda: None
    run_server()


if __name__ == "__main__":
    main()
