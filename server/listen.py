"""Open the endpoint's port, and run the embedded engine behind it."""

from __future__ import annotations

import contextlib
import errno
import logging
import signal
import socket
from collections.abc import Callable, Generator

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from persona.errors import UserError
from server.envelope import RequestError

GRACE_SECONDS = 30
"""How long replies under way may take to finish once the endpoint is told to stop."""
_STOP = (signal.SIGINT, signal.SIGTERM)


class Http(H11Protocol):
    """uvicorn's HTTP, which tells in OpenAI's envelope, too, that something is no HTTP."""

    def send_400_response(self, msg: str) -> None:
        """Say so, and close the connection."""
        body = RequestError(f"This is not HTTP that can be read: {msg.rstrip('.')}.").body()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        with contextlib.suppress(h11.LocalProtocolError):  # an answer is under way already, or was
            for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to `host` and `port` (0 takes a free one), before anything slow is loaded.

    Raises:
        UserError: the port is taken, not allowed, or the host is not this machine's.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, proto)
    except (OSError, OverflowError) as error:
        raise UserError(f"{host}:{port} is no address to listen on: {error}.", "Try --host 127.0.0.1.") from error
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            hint = "Is an endpoint already running? Choose another with --port, or 0 for any free one."
            raise UserError(f"port {port} on {host} is in use.", hint) from error
        raise UserError(f"cannot listen on {host}:{port}: {error.strerror}.", "Try another --port.") from error
    return bound


def configured(app: ASGIApp) -> uvicorn.Config:
    """uvicorn's settings for `app`."""
    return uvicorn.Config(
        app,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        http=Http,
        # Where a library for them is installed, a request to change to websockets would wait for an answer for ever.
        ws="none",
        # uvloop is used where it is installed, and not needed.
    )


def run(app: ASGIApp, bound: socket.socket, ready: Callable[[], None]) -> None:
    """Serve `app` on `bound` until SIGINT or SIGTERM; `ready` is called when the first request can come."""

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

        @contextlib.contextmanager
        def capture_signals(self) -> Generator[None]:
            # uvicorn raises the signal again once it has shut down; here being told to stop is a normal end.
            previous = {number: signal.signal(number, self.handle_exit) for number in _STOP}
            try:
                yield
            finally:
                for number, handler in previous.items():
                    signal.signal(number, handler)

    Server(configured(app)).run(sockets=[bound])
