"""Throw broken, huge, hostile and plainly odd requests at a real endpoint, and see that it minds none of them.

    python benchmarks/fuzz_endpoint.py [--requests 10000] [--seed 0]

Whatever comes, it answers in time, never with a 5xx, and each error has OpenAI's envelope; it is alive at the end, and
its memory is flat. The engine is the real one, with a short context so that valid requests cost little.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.odd_requests import Shot, http, shots  # noqa: E402
from persona.paths import data_dir  # noqa: E402
from tests.endpoints import SAMPLE_CAST, start_endpoint  # noqa: E402

SECONDS = 180
"""An answer that takes longer counts as none."""
WARM = 1000
"""Requests after which memory is measured first: by then every cache there is has been filled."""
ARGUMENTS = ("--engine", "llamacpp", "--personas", str(SAMPLE_CAST), "--context", "512", "--threads", "1")
"""A short context makes what can be answered cheap; threads would wait for each other on a busy machine."""
STEP = 200
"""Requests between two looks at the memory."""


class Report(msgspec.Struct):
    """What came of the requests: how many answers of each status, what was wrong, and memory in bytes."""

    statuses: Counter[str]
    wrong: list[str]
    warm: int = 0
    end: int = 0


def exchange(address: tuple[str, int], shot: Shot) -> bytes:
    """Send it, and everything that comes back until the other end closes.

    Raises:
        TimeoutError: it does not come to an end.
    """
    received = bytearray()
    with socket.create_connection(address, timeout=SECONDS) as connection:
        try:
            connection.sendall(shot.sent)
            connection.shutdown(socket.SHUT_WR) if shot.cut else None
        except ConnectionError:
            pass  # it has heard enough: a body that is too long
        try:
            while piece := connection.recv(1 << 16):
                received += piece
        except ConnectionError:
            pass
    return bytes(received)


def judged(shot: Shot, answer: bytes) -> tuple[str, str | None]:
    """The answer's status, and what is wrong with it or None."""
    head, _, body = answer.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 1"):
        head, _, body = body.partition(b"\r\n\r\n")
    if not head:
        # What is cut off, or what is larger than is read, may lose its answer with its connection.
        return "none", None if shot.cut or len(shot.sent) > 60_000 or b"HTTP/1" not in shot.sent[
            :200_000
        ] else "no answer"
    status = head.split()[1].decode()
    if status >= "500":
        return status, f"status {status}: {body[:300]!r}"
    if status < "400" or shot.sent.startswith(b"HEAD "):
        return status, None
    if b"transfer-encoding: chunked" in head.lower():
        body = body.partition(b"\r\n")[2].rpartition(b"\r\n0\r\n")[0]
    try:
        error = json.loads(body)["error"]
        whole = set(error) == {"message", "type", "param", "code"} and isinstance(error["message"], str)
    except (ValueError, KeyError, TypeError):
        whole = False
    return status, None if whole else f"status {status} without the envelope: {body[:200]!r}"


def memory(process: psutil.Process) -> int:
    """Bytes resident, of the process and those it has started."""
    return sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))


def fuzz(url: str, pid: int, count: int, seed: int = 0, tell: Callable[[str], None] = lambda _: None) -> Report:
    """Send `count` requests to the endpoint at `url`, whose process is `pid`, four at a time."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 80)
    report, process = Report(Counter(), []), psutil.Process(pid)
    made = shots(count, seed)

    def one(make: Callable[[], Shot]) -> tuple[str, str | None]:
        shot = make()
        try:
            status, wrong = judged(shot, exchange(address, shot))
        except TimeoutError:
            status, wrong = "hang", f"no end within {SECONDS} s"
        return status, wrong and f"{shot.what}: {wrong}\n    {shot.sent[:400]!r}"

    with ThreadPoolExecutor(4) as pool:
        for begin in range(0, count, STEP):
            for status, wrong in pool.map(one, made[begin : begin + STEP]):
                report.statuses[status] += 1
                if wrong is not None:
                    report.wrong.append(wrong)
                    tell(wrong)
            report.end = memory(process)
            done = begin + len(made[begin : begin + STEP])
            if done <= WARM:
                report.warm = report.end
            tell(f"{done} requests, {report.end / 1e6:.0f} MB")
    health = exchange(address, Shot("health", http(b"", "/health", "GET")))
    if not health.startswith(b"HTTP/1.1 200"):
        report.wrong.append(f"it is not well at the end: {health[:200]!r}")
    return report


def main() -> None:
    """Start an endpoint, fuzz it, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        (data / "models").symlink_to(data_dir(None).resolve() / "models")
        process, url = start_endpoint(*ARGUMENTS, "--data", folder)
        began = time.perf_counter()
        try:
            report = fuzz(url, process.pid, arguments.requests, arguments.seed, lambda line: print(line, flush=True))
        finally:
            process.terminate()
            process.wait()
    seconds = time.perf_counter() - began
    print(f"{arguments.requests} requests in {seconds:.0f} s: {dict(sorted(report.statuses.items()))}")
    warm, end = report.warm / 1e6, report.end / 1e6
    print(f"{len(report.wrong)} wrong answers; memory {warm:.0f} MB after {WARM}, {end:.0f} MB at the end")
    sys.exit(bool(report.wrong))


if __name__ == "__main__":
    main()
