"""`greenroom demo`, which is `make chat`: the sample cast served, the client opened, the endpoint stopped."""

from __future__ import annotations

import socket
import sys
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
    from scripts.endpoint import endpoint

    gguf_path(DEFAULT, data_dir(data))  # a missing model is said here, not in the endpoint's log
    with endpoint([personas], data_dir(data), port=_port()) as url:
        chat(url=url)


def _port() -> int:
    """The usual port, so that curl finds the endpoint while the client is open; any free one if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((DEFAULT_HOST, DEFAULT_PORT))
        except OSError:
            return 0
    return DEFAULT_PORT
