"""The OpenAI error envelope, the shape in which every error of the endpoint leaves it.

    {"error": {"message": "…", "type": "invalid_request_error", "param": "messages", "code": null}}

Source: https://platform.openai.com/docs/guides/error-codes and the `openai` package's exception classes, which
read `param` and `code`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "invalid_request_error", 429: "rate_limit_error"}


class RequestError(Exception):
    """A request that cannot be answered.

    Attributes:
        message: what is wrong with it, and what to send instead.
        param: the parameter at fault, as a path (`messages[2].role`), or None.
        code: OpenAI's word for it (`model_not_found`, …), or None.
        status: the HTTP status.
        headers: HTTP headers that go with it (`Retry-After`, …), or None.
    """

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.status = status
        self.headers = headers

    def body(self) -> bytes:
        """The envelope as JSON."""
        kind = _TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return msgspec.json.encode({"error": error})

    def response(self) -> Response:
        """The envelope as an HTTP response."""
        return Response(self.body(), self.status, headers=self.headers, media_type="application/json")


def no_such_persona(model: str, more: str = "") -> RequestError:
    """The error for a `model` that nobody answers to."""
    message = f"The persona {model[:80]!r} does not exist.{more}"
    return RequestError(message, param="model", code="model_not_found", status=404)
