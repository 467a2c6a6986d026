"""`greenroom demo`, which is `make chat`: the sample cast served, the client opened, the endpoint stopped."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from scripts.options import DEFAULT_HOST, DEFAULT_PORT, Data

SAMPLE_CAST = Path(__file__).resolve().parents[1] / "samples" / "personas"


def demo(
    personas: Annotated[Path, typer.Option(help="Folder of personas.", show_default="the sample cast")] = SAMPLE_CAST,
    data: Data = None,
) -> None:
    """Try it: serve the sample cast, open the client, and stop the endpoint when the client is left."""
    from persona.errors import UserError

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError(
            "the client needs a terminal, and there is none here.",
            "`make serve` (greenroom serve --personas samples/personas) starts the endpoint alone; then use "
            'curl, or `greenroom chat milo "hey"`.',
        )
    from persona.bases import DEFAULT, gguf_path
    from persona.paths import data_dir
    from scripts.chat import chat

    gguf_path(DEFAULT, data_dir(data))  # a missing model is said here, not in the endpoint's log
    process, url = _start(personas, data_dir(data))
    try:
        chat(url=url)
    finally:
        process.terminate()
        process.wait()


def _start(personas: Path, data: Path) -> tuple[subprocess.Popen[str], str]:
    """The endpoint as a process of its own, and its URL once it is ready.

    Raises:
        UserError: it did not start; says why in its own words.
    """
    from persona.errors import UserError

    command = [sys.executable, "-m", "scripts.cli", "serve", "--engine", "llamacpp"]
    command += ["--personas", str(personas), "--data", str(data), "--port", str(_port()), "--attached"]
    # In a group of its own: Ctrl+C in the client is the client's. Its standard input is held open and never written
    # to; should this process be killed or its terminal closed, that ends and the endpoint stops too.
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    said = process.stdout.readline()
    url = re.search(r"http://\S+/v1", said)
    if url is None:
        process.wait()
        why = process.stderr.read().strip().removeprefix("greenroom: ") or said.strip()
        raise UserError(f"the endpoint did not start: {why or 'it left without a word'}")
    # What it says from now on would fill the pipe and stop it; nobody reads it while the client has the screen.
    threading.Thread(target=process.stderr.read, daemon=True).start()
    return process, url[0]


def _port() -> int:
    """The usual port, so that curl finds the endpoint while the client is open; any free one if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((DEFAULT_HOST, DEFAULT_PORT))
        except OSError:
            return 0
    return DEFAULT_PORT
