"""A llama.cpp server in a process of its own, as the endpoint sees it (the other side is `llamacpp_process`)."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from persona.errors import UserError
from persona.template import template_source

MODEL_ALIAS = "greenroom-persona"
"""The model name that llama.cpp writes into its answers."""

_SCRIPT = Path(__file__).with_name("llamacpp_process.py")


class Shape(msgspec.Struct, frozen=True):
    """What a server is made with, besides its model and adapters.

    Attributes:
        context: tokens that all slots share.
        slots: replies written at the same time.
        threads: for computing; 0 lets llama.cpp choose.
    """

    context: int
    slots: int
    threads: int


def config(model: Path, loras: tuple[Path, ...], shape: Shape, folder: Path) -> dict[str, Any]:
    """What `llamacpp_process.made` is told, with a fresh key and a socket in `folder`."""
    return {
        "model": str(model),
        "alias": MODEL_ALIAS,
        "loras": [str(path) for path in loras],
        "template": template_source(),
        **msgspec.structs.asdict(shape),
        "socket": str(folder / "llamacpp.sock"),
        "key": secrets.token_urlsafe(32),
        # One for each reply, and some for counting tokens.
        "connections": shape.slots + 8,
    }


class LlamaServer:
    """The process. It ends with `close`, or when nobody holds this any more.

    Attributes:
        loras: the adapters it was made with, in llama.cpp's numbering.
        pid: of the process.
    """

    def __init__(self, model: Path, loras: tuple[Path, ...], shape: Shape) -> None:
        """Start it and wait until it answers (a second or so; the caller's thread sleeps meanwhile).

        Raises:
            UserError: llama.cpp cannot load the model or one of the adapters.
        """
        self.loras = loras
        folder = Path(tempfile.mkdtemp(prefix="greenroom-"))
        asked = config(model, loras, shape, folder)
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.close = weakref.finalize(self, _end, self._process, folder)
        self.pid = self._process.pid
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(msgspec.json.encode(asked) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            said = b""
        else:
            said = self._process.stdout.readline()
        if said != b"ready\n":
            self.close()
            raise UserError(
                f"llama.cpp could not load {model}.", "Is it a whole GGUF file? `greenroom doctor` checks it."
            )
        self._socket: str = asked["socket"]
        self._headers = {"authorization": f"Bearer {asked['key']}", "content-type": "application/json"}
        self._client: httpx.AsyncClient | None = None

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.close.alive and self._process.poll() is None

    def client(self) -> httpx.Client:
        """Asks it and waits, for what happens before the first request and beside the endpoint."""
        transport = httpx.HTTPTransport(uds=self._socket, verify=False)
        return httpx.Client(transport=transport, base_url="http://llamacpp", headers=self._headers, timeout=60)

    @asynccontextmanager
    async def post(self, path: str, body: bytes) -> AsyncIterator[httpx.Response]:
        """Its answer, as it comes in. Leaving before its end frees the slot: at the next token, or within a second."""
        if self._client is None:
            # A connection for each request: llama.cpp ends those that nobody uses, maybe just as one is used again.
            # Certificates, which a socket file has no use for, would take longer than all the rest.
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
            transport = httpx.AsyncHTTPTransport(uds=self._socket, verify=False, limits=limits)
            self._client = httpx.AsyncClient(
                transport=transport, base_url="http://llamacpp", headers=self._headers, timeout=None
            )
        async with self._client.stream("POST", path, content=body) as response:
            yield response


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    # It has nothing to put in order.
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    shutil.rmtree(folder, ignore_errors=True)
