"""A bundle holds what a rented machine needs and says so; what is sealed opens with its passphrase and no other way."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pexpect
import pytest
import yaml

from persona.errors import UserError
from tests.endpoints import ROOT
from tests.scripts.test_errors import greenroom, refused
from tests.train.bundles import BASE, NEEDS, TALK, home, pack, unpack, write_recipe_for, write_set
from train.bundle.archive import ArchiveError, extract, write_tar
from train.bundle.packing import RECORDS, Bundle
from train.bundle.sealing import SealError, make_lock, seal, unseal
from train.recipe import read_recipe

PASSPHRASE = "correct horse battery"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def recipe(data: Path) -> Path:
    return home(data)


def payload(bundle: Path, folder: Path) -> Path:
    inside = folder / "payload"
    inside.mkdir()
    extract(unpack(bundle, folder) / "payload.tar.gz", inside)
    return inside


def test_a_bundle_is_the_same_for_the_same_content(data: Path, recipe: Path, tmp_path: Path) -> None:
    first, again = tmp_path / "a.bundle", tmp_path / "b.bundle"
    assert pack(data, recipe, first) == pack(data, recipe, again)
    assert first.read_bytes() == again.read_bytes()
    assert first.stat().st_mode & 0o077 == 0


def test_its_manifest_says_what_it_was_made_of_and_the_hash_of_every_file(
    data: Path, recipe: Path, tmp_path: Path
) -> None:
    identity = pack(data, recipe, tmp_path / "a.bundle")
    inside = payload(tmp_path / "a.bundle", tmp_path)
    manifest = json.loads((inside / "manifest.json").read_bytes())
    files = {str(path.relative_to(inside)) for path in inside.rglob("*") if path.is_file()}
    assert set(manifest["files"]) == files - {"manifest.json"}
    for name, expected in manifest["files"].items():
        assert hashlib.sha256((inside / name).read_bytes()).hexdigest() == expected
    assert manifest["dataset"]["train.jsonl"] == manifest["files"]["data/train.jsonl"]
    assert (inside / "data" / "train.jsonl").read_bytes() == (data / "dataset" / "train.jsonl").read_bytes()
    assert manifest["base"]["name"] == BASE
    assert manifest["axolotl"]
    assert (inside / "code" / "persona" / "chatml.jinja").read_bytes() == (ROOT / "persona/chatml.jinja").read_bytes()
    # The record at home is what the result is known by.
    assert (data / RECORDS / f"{identity}.json").read_bytes() == (inside / "manifest.json").read_bytes()


def test_every_path_in_a_configuration_is_inside_the_bundle(data: Path, recipe: Path, tmp_path: Path) -> None:
    pack(data, recipe, tmp_path / "a.bundle")
    inside = payload(tmp_path / "a.bundle", tmp_path)
    joint, own, second = (yaml.safe_load(path.read_text()) for path in sorted((inside / "stages").iterdir()))
    for config in (joint, own, second):
        assert (inside / config["base_model"] / "config.json").is_file()
        assert (inside / config["datasets"][0]["path"]).is_file()
        assert str(tmp_path) not in json.dumps(config)
        assert config["auto_resume_from_checkpoints"] is True
    assert own["lora_model_dir"] == joint["output_dir"]
    lines = (inside / own["datasets"][0]["path"]).read_text().splitlines()
    trained = {turn["from"] for line in lines for turn in json.loads(line)["conversations"] if turn["train"]}
    assert trained == {"Ann"}


def test_somebody_with_nothing_held_out_is_trained_without_evaluation(data: Path, recipe: Path, tmp_path: Path) -> None:
    held_out = (data / "dataset" / "eval.jsonl").read_text().splitlines()
    (data / "dataset" / "eval.jsonl").write_text(held_out[2] + "\n")  # Ann alone
    pack(data, recipe, tmp_path / "a.bundle")
    inside = payload(tmp_path / "a.bundle", tmp_path)
    ann, bo = (yaml.safe_load((inside / "stages" / f"own-{number}.yml").read_text()) for number in (1, 2))
    assert "test_datasets" in ann
    assert "test_datasets" not in bo
    assert "evals_per_epoch" not in bo


def test_a_base_from_hugging_face_does_not_go_along(data: Path, recipe: Path, tmp_path: Path) -> None:
    recipe = write_recipe_for("mistralai/Mistral-7B-v0.1", tmp_path / "hub.yml", revision_of_model="abc123")
    bundle = Bundle(read_recipe(recipe), recipe, data / "dataset", base=None)
    bundle.write(tmp_path / "a.bundle", per_persona=False, needs=NEEDS, lock=None, records=data / RECORDS)
    inside = payload(tmp_path / "a.bundle", tmp_path)
    manifest = json.loads((inside / "manifest.json").read_bytes())
    assert not (inside / "base").exists()
    assert manifest["base"] == {
        "name": "Mistral-7B-v0.1",
        "source": "huggingface",
        "path": "mistralai/Mistral-7B-v0.1",
        "revision": "abc123",
    }


def test_a_base_from_nowhere_is_refused(data: Path, recipe: Path) -> None:
    with pytest.raises(UserError, match="neither a folder here nor a name"):
        Bundle(read_recipe(recipe), recipe, data / "dataset", base=None)


def test_what_leaves_the_machine_is_said_first(data: Path, recipe: Path, tmp_path: Path) -> None:
    done = greenroom("train", recipe, "--per-persona", "--bundle", tmp_path / "a.bundle", "--data", data)
    assert done.returncode == 0, done.stderr
    assert "12 sessions to train on and 3 held out" in done.stdout
    assert "Ann, Bo" in done.stdout
    assert "NOT REDACTED" in done.stdout
    assert "NOT ENCRYPTED" in done.stdout
    assert "Estimate:" in done.stdout
    assert (tmp_path / "a.bundle").is_file()
    assert "exists already" in refused("train", recipe, "--bundle", tmp_path / "a.bundle", "--data", data)


@pytest.mark.parametrize(("key", "said"), [("k1", "Redacted: 3 times"), (None, "NOT REDACTED")])
def test_whether_a_set_is_redacted_is_what_its_card_says(
    data: Path, recipe: Path, tmp_path: Path, key: str | None, said: str
) -> None:
    card = {"options": {"redact": True}, "made_from": {"redaction_key": key}, "redacted": {"phone": 3}}
    (data / "dataset" / "card.json").write_text(json.dumps(card))
    done = greenroom("train", recipe, "--bundle", tmp_path / "a.bundle", "--data", data)
    assert said in done.stdout, done.stderr


def test_a_card_is_estimated_before_anything_is_paid_for(data: Path, recipe: Path, tmp_path: Path) -> None:
    recipe = write_recipe_for("meta-llama/Llama-2-13b-hf", tmp_path / "hub.yml", plugins=[], bf16=True)
    to = ("--bundle", tmp_path / "a.bundle", "--data", data)
    assert "t5000" in refused("train", recipe, *to, "--gpu", "t5000")
    small = greenroom("train", recipe, *to, "--gpu", "t4")
    assert "that does not fit t4" in small.stdout
    manifest = json.loads(next((data / RECORDS).iterdir()).read_bytes())
    assert manifest["needs"]["gpu"] is True
    assert manifest["needs"]["gpu_memory_gb"] > 14


def test_a_sealed_bundle_shows_nothing_of_what_is_in_it(data: Path, recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "pass").write_text(PASSPHRASE + "\n")
    to = ("--bundle", tmp_path / "a.bundle", "--data", data, "--passphrase-file", tmp_path / "pass")
    assert greenroom("train", recipe, *to).returncode == 0
    folder = unpack(tmp_path / "a.bundle", tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["payload.sealed", "run.sh", "sealing.py"]
    unseal(folder / "payload.sealed", tmp_path / "clear", PASSPHRASE)
    assert "data/train.jsonl" in extract(tmp_path / "clear", tmp_path / "inside")


@pytest.mark.slow
def test_the_passphrase_is_asked_for_twice(data: Path, recipe: Path, tmp_path: Path) -> None:
    def asked(first: str, second: str) -> tuple[str, int | None]:
        command = ["-m", "scripts.cli", "train", str(recipe), "--bundle", str(tmp_path / "a.bundle"), "--encrypt"]
        child = pexpect.spawn(sys.executable, [*command, "--data", str(data)], cwd=str(ROOT), encoding="utf-8")
        for prompt, answer in (("Passphrase: ", first), ("The same again: ", second)):
            child.expect_exact(prompt, timeout=60)
            child.sendline(answer)
        child.expect(pexpect.EOF, timeout=60)
        child.close()
        return str(child.before), child.exitstatus

    said, code = asked(PASSPHRASE, "something else")
    assert code == 2
    assert "differ" in said
    assert not (tmp_path / "a.bundle").exists()
    said, code = asked(PASSPHRASE, PASSPHRASE)
    assert code == 0
    assert PASSPHRASE not in said


@pytest.mark.parametrize(("text", "said"), [("", "is empty"), ("short", "too short")])
def test_a_passphrase_that_guards_nothing_is_refused(
    data: Path, recipe: Path, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "pass").write_text(text)
    to = ("--bundle", tmp_path / "a.bundle", "--data", data)
    assert said in refused("train", recipe, *to, "--passphrase-file", tmp_path / "pass")
    assert "no terminal" in refused("train", recipe, *to, "--encrypt")


@pytest.mark.slow
def test_what_is_sealed_opens_with_its_passphrase(tmp_path: Path) -> None:
    clear, sealed, out = tmp_path / "clear", tmp_path / "sealed", tmp_path / "out"
    for size in (0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1):
        clear.write_bytes(os.urandom(size))
        seal(clear, sealed, make_lock(PASSPHRASE))
        unseal(sealed, out, PASSPHRASE)
        assert out.read_bytes() == clear.read_bytes()
    assert out.stat().st_mode & 0o077 == 0


def test_the_same_file_sealed_twice_is_not_the_same(tmp_path: Path) -> None:
    (tmp_path / "clear").write_bytes(b"text")
    lock = make_lock(PASSPHRASE)
    for name in ("a", "b"):
        seal(tmp_path / "clear", tmp_path / name, lock)
    assert (tmp_path / "a").read_bytes()[70:] != (tmp_path / "b").read_bytes()[70:]


@pytest.mark.slow
def test_a_wrong_passphrase_and_every_damage_are_told_and_leave_nothing(tmp_path: Path) -> None:
    clear, sealed, out = tmp_path / "clear", tmp_path / "sealed", tmp_path / "out"
    clear.write_bytes(b"secret " * 1000)
    seal(clear, sealed, make_lock(PASSPHRASE))
    whole = sealed.read_bytes()
    assert b"secret" not in whole

    def opened(content: bytes, passphrase: str = PASSPHRASE) -> str:
        sealed.write_bytes(content)
        with pytest.raises(SealError) as error:
            unseal(sealed, out, passphrase)
        assert not list(tmp_path.glob("out*"))
        return str(error.value)

    assert "passphrase does not open" in opened(whole, "correct horse batterz")
    nonce, middle = whole[: 19 + 34] + bytes([whole[53] ^ 1]) + whole[54:], bytearray(whole)
    middle[3000] ^= 1
    for damaged in (nonce, bytes(middle), whole[:-1], whole[:-100], whole + b"x"):
        assert "damaged or was changed" in opened(damaged)
    assert "breaks off" in opened(whole[:40])
    assert "not a sealed file" in opened(b"PK" + whole)


@pytest.mark.parametrize(
    "entry",
    [
        ("../out.txt", tarfile.REGTYPE),
        ("/tmp/out.txt", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
        ("hard", tarfile.LNKTYPE),
        ("fifo", tarfile.FIFOTYPE),
    ],
)
def test_an_archive_that_leads_out_of_its_folder_is_refused(tmp_path: Path, entry: tuple[str, bytes]) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        info = tarfile.TarInfo(entry[0])
        info.type, info.linkname, info.size = entry[1], "/etc/passwd", 2 if entry[1] == tarfile.REGTYPE else 0
        archive.addfile(info, io.BytesIO(b"hi"))
    (tmp_path / "in").mkdir()
    with pytest.raises(ArchiveError, match="no plain file inside"):
        extract(tmp_path / "bad.tar", tmp_path / "in")
    assert not (tmp_path / "out.txt").exists()


def test_an_archive_that_breaks_off_is_refused(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", {"x": os.urandom(5000)}, compress=True)
    whole = (tmp_path / "a.tar").read_bytes()
    for number, broken in enumerate((whole[:-3000], b"", whole[:50] + b"\0" * 100 + whole[150:])):
        (tmp_path / "a.tar").write_bytes(broken)
        (tmp_path / f"in{number}").mkdir()
        with pytest.raises(ArchiveError, match="not a whole tar file"):
            extract(tmp_path / "a.tar", tmp_path / f"in{number}")


def test_run_sh_is_clean_shell() -> None:
    script = ROOT / "train" / "bundle" / "run.sh"
    assert "set -euo pipefail" in script.read_text()
    assert subprocess.run(["bash", "-n", script]).returncode == 0


def test_two_sets_make_two_bundles(data: Path, recipe: Path, tmp_path: Path) -> None:
    first = pack(data, recipe, tmp_path / "a.bundle")
    write_set(data / "dataset", TALK[:2])
    assert pack(data, recipe, tmp_path / "b.bundle") != first
