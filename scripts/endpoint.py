"""An endpoint as a process of its own, for commands that talk to one and stop it afterwards."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def endpoint(personas: Sequence[Path], data: Path, *, port: int = 0, extra: Sequence[str] = ()) -> Iterator[str]:
    """Serve `personas` with llama.cpp for as long as the block runs; its URL, once it is ready.

    Args:
        personas: folders of personas.
        data: the private folder.
        port: 0 takes any free one.
        extra: more options of `greenroom serve`.

    Raises:
        UserError: it did not start; says why in its own words.
    """
    process, url = _start(personas, data, port, extra)
    try:
        yield url
    finally:
        process.terminate()
        process.wait()


def _start(personas: Sequence[Path], data: Path, port: int, extra: Sequence[str]) -> tuple[subprocess.Popen[str], str]:
    from persona.errors import UserError

    command = [sys.executable, "-m", "scripts.cli", "serve", "--engine", "llamacpp"]
    for folder in personas:
        command += ["--personas", str(folder)]
    command += ["--data", str(data), "--port", str(port), "--attached", *extra]
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
