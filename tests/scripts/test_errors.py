"""What a person can get wrong gets one clear line that says what to do, exit code 2, and no traceback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from persona.card import Card, write_card
from tests.endpoints import ROOT, SAMPLE_CAST


def greenroom(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.cli", *map(str, arguments)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
    )


def refused(*arguments: str | Path, **environ: str) -> str:
    """The one line that the command says before it leaves with exit code 2."""
    done = greenroom(*arguments, **environ)
    assert done.returncode == 2, done.stderr + done.stdout
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("greenroom: ")
    return lines[0]


def test_a_wrong_path(tmp_path: Path) -> None:
    assert "nowhere.json" in refused("import", tmp_path / "nowhere.json")


def test_a_file_that_is_no_export(tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_bytes(b"\xff\xd8\xff\xe0" * 100)
    assert "cat.jpg" in refused("import", tmp_path / "cat.jpg")


def test_a_torn_export_keeps_what_was_whole(tmp_path: Path) -> None:
    whole = (ROOT / "samples" / "exports" / "telegram" / "result.json").read_bytes()
    (tmp_path / "result.json").write_bytes(whole[: len(whole) // 2])
    data = tmp_path / "data"
    done = greenroom("import", tmp_path / "result.json", "--data", data)
    assert done.returncode == 2
    assert "breaks off" in done.stderr
    people = greenroom("people", "--data", data)
    assert "Milo Tarkwhistle" in people.stdout


def test_a_dataset_of_nothing(tmp_path: Path) -> None:
    assert "greenroom import" in refused("dataset", "--data", tmp_path / "data")


def test_a_missing_model(tmp_path: Path) -> None:
    line = refused("serve", "--personas", SAMPLE_CAST, "--data", tmp_path, "--port", "0", "--engine", "llamacpp")
    assert "greenroom model fetch" in line


def test_a_damaged_model(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    write_card(tmp_path / "personas" / "a", Card(speaker="A", base="broken"))
    assert "broken.gguf" in refused("serve", "--data", tmp_path, "--port", "0", "--engine", "llamacpp")


def test_an_adapter_of_another_base(tmp_path: Path, base_gguf: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    (tmp_path / "models").symlink_to(base_gguf.parent)
    persona = write_card(tmp_path / "personas" / "a", Card(speaker="A", base=base_gguf.stem))
    adapter = persona.folder / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"r": 2, "lora_alpha": 4, "peft_type": "LORA"}))
    key = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    save_file({key: np.zeros((2, 4096), np.float16)}, adapter / "adapter_model.safetensors")
    assert "another base" in refused("serve", "--data", tmp_path, "--port", "0", "--engine", "llamacpp")


def test_a_busy_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert "in use" in refused("serve", "--personas", SAMPLE_CAST, "--port", port)


def test_nobody_to_serve(tmp_path: Path) -> None:
    assert "no personas" in refused("serve", "--data", tmp_path)


def test_a_host_that_others_can_reach() -> None:
    assert "127.0.0.1" in refused("serve", "--personas", SAMPLE_CAST, "--host", "0.0.0.0")


def test_no_vllm(tmp_path: Path) -> None:
    """In a folder without environments, as on a laptop that only chats."""
    code = (
        "import sys, server.engines.vllm as v; from pathlib import Path; v.ROOT = Path(sys.argv.pop(1));"
        "from scripts.cli import main; main()"
    )
    arguments = ["serve", "--engine", "vllm", "--personas", str(SAMPLE_CAST), "--port", "0", "--data", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *arguments], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "make setup-vllm" in done.stderr


def test_no_axolotl(tmp_path: Path) -> None:
    code = (
        "import sys, train.environment as e; from pathlib import Path; e.ROOT = Path(sys.argv.pop(1));"
        "from scripts.cli import main; main()"
    )
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "m.gguf").write_bytes(b"GGUF")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), "model", "convert", "m", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 2
    assert "make setup-train" in done.stderr


@pytest.mark.parametrize("recipe", ["no-such-recipe", "pyproject.toml"])
def test_what_is_no_recipe(recipe: str) -> None:
    assert "recipe" in refused("train", recipe)


def test_a_chat_without_an_endpoint() -> None:
    assert "greenroom serve" in refused("chat", "milo", "hey", "--url", "http://127.0.0.1:9/v1")


def test_the_client_without_a_terminal() -> None:
    assert "terminal" in refused("chat")
    assert "make serve" in refused("demo")


def test_an_unknown_base_model(tmp_path: Path) -> None:
    assert "smollm2-135m-instruct" in refused("model", "fetch", "gpt-9", "--data", tmp_path)


def test_an_unknown_persona(tmp_path: Path) -> None:
    assert "no persona" in refused("personas", "remove", "bob", "--data", tmp_path)


def test_a_usage_error_is_the_users_too() -> None:
    assert greenroom("serve", "--port", "70000").returncode == 2
    assert greenroom("no-such-command").returncode == 2


@pytest.mark.parametrize(
    "command", ["import", "people", "dataset", "train", "personas", "serve", "chat", "demo", "model", "doctor"]
)
def test_every_command_has_help(command: str) -> None:
    done = greenroom(command, "--help")
    assert done.returncode == 0
    assert "--data" in done.stdout or command in ("chat", "model")


def test_our_own_bug_is_said_to_be_ours() -> None:
    code = "import scripts.cli as c; c.app = lambda: 1 / 0; c.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "bug in Greenroom" in done.stderr
