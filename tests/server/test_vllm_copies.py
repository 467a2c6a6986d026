"""The copies that vLLM reads: kept while an endpoint has them, and no longer."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from server.engines.vllm_copies import Held, copies_dir, kept_adapter, remove_unused
from tests.endpoints import ROOT, SAMPLE_CAST

HOLD = """
import sys
from pathlib import Path
from server.engines.vllm_copies import Held
held = Held()
held.hold([Path(sys.argv[1])])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def copies(tmp_path: Path) -> dict[str, Path]:
    return {name: kept_adapter(SAMPLE_CAST / name / "adapter", tmp_path) for name in ("milo", "lev", "pip")}


def test_a_copy_that_nobody_serves_is_removed_and_the_others_stay(tmp_path: Path, copies: dict[str, Path]) -> None:
    held = Held()
    held.hold([copies["milo"], copies["lev"]])
    assert remove_unused(tmp_path, unused_s=0) == [copies["pip"]]
    held.hold([copies["lev"]])
    assert remove_unused(tmp_path, unused_s=0) == [copies["milo"]]
    assert list(copies_dir(tmp_path).iterdir()) == [copies["lev"]]


def test_one_that_was_just_asked_for_is_kept_for_vllm_to_start(tmp_path: Path, copies: dict[str, Path]) -> None:
    assert remove_unused(tmp_path) == []
    assert all(copy.is_dir() for copy in copies.values())


def test_what_another_endpoint_serves_is_kept_until_that_ends(tmp_path: Path, copies: dict[str, Path]) -> None:
    command = [sys.executable, "-c", HOLD, str(copies["milo"])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert copies["milo"] not in remove_unused(tmp_path, unused_s=0)
        other.kill()
    assert remove_unused(tmp_path, unused_s=0) == [copies["milo"]]


def test_half_a_copy_is_removed_and_a_whole_one_made_again(tmp_path: Path, copies: dict[str, Path]) -> None:
    half = copies_dir(tmp_path) / "abc.part"
    shutil.copytree(copies["milo"], half)
    assert half in remove_unused(tmp_path, unused_s=0)
    assert kept_adapter(SAMPLE_CAST / "milo" / "adapter", tmp_path).is_dir()
