"""Real endpoints for tests: `greenroom serve` started the way a person starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import httpx

from server.engines.llamacpp_load import Served, chosen

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("GREENROOM_DATA") or ROOT / "data").resolve()
"""The private folder of whoever runs the tests, for its base models alone."""
SAMPLE_CAST = ROOT / "samples" / "personas"


def start_endpoint(*arguments: str, wait_s: float = 240) -> tuple[subprocess.Popen[str], str]:
    """`greenroom serve` on a free port: the process, and its URL once it answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.cli", "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    errors: list[str] = []
    # Pipes that nobody reads fill up and stop the process.
    threading.Thread(target=_drain, args=(process.stderr, errors.append), daemon=True).start()
    said = process.stdout.readline()
    threading.Thread(target=_drain, args=(process.stdout, None), daemon=True).start()
    url = re.search(r"http://\S+/v1", said)
    deadline = time.monotonic() + wait_s
    while url is not None and process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(url[0].removesuffix("/v1") + "/health", timeout=5).status_code == 200:
                return process, url[0]
        except httpx.HTTPError:
            time.sleep(0.2)
    process.kill()
    process.wait()
    raise AssertionError(f"the endpoint did not start: {said}{''.join(errors)[-4000:]}")


def answered(served: Served, body: dict[str, Any]) -> Any:
    """What llama.cpp itself says to a chat request, in a persona's adapter and without the endpoint around it."""
    lora = chosen(served.base.server, served.lora)
    with served.base.server.client() as client:
        return client.post("/v1/chat/completions", json={**body, "lora": lora}).json()


def _drain(stream: IO[str], keep: Callable[[str], None] | None) -> None:
    for line in stream:
        if keep is not None:
            keep(line)
