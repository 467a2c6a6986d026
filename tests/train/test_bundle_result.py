"""run.sh trains, goes on where it was stopped, and packs; what comes home is taken only if it belongs there.

The machine here is rented out by a folder on PATH whose `axolotl` copies an adapter. test_bundle_axolotl.py has the
real one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from persona.card import load_personas
from tests.endpoints import SAMPLE_CAST
from tests.scripts.test_errors import greenroom, refused
from tests.train.bundles import (
    BASE,
    TALK,
    fake_axolotl,
    home,
    pack,
    unpack,
    write_adapter,
    write_base,
    write_recipe_for,
    write_set,
)
from train.bundle.archive import extract, sha256, write_tar
from train.bundle.packing import FOLDER, RECORDS
from train.bundle.sealing import make_lock

pytestmark = pytest.mark.slow

PASSPHRASE = "correct horse battery"
Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def recipe(data: Path) -> Path:
    return home(data)


@pytest.fixture
def axolotl(tmp_path: Path) -> Path:
    return fake_axolotl(tmp_path / "bin")


@pytest.fixture
def run(axolotl: Path, tmp_path: Path) -> Run:
    """`bash run.sh` with nothing in the environment but that axolotl."""
    return partial(_run, axolotl, tmp_path)


def _run(axolotl: Path, home: Path, folder: Path, *options: str | Path, **environ: str) -> CompletedProcess[str]:
    return subprocess.run(
        ["bash", "run.sh", *map(str, options)],
        cwd=folder,
        env={"PATH": f"{axolotl}:/usr/bin:/bin", "HOME": str(home), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the private folder `data`, and with `rented`, where what left it has been trained."""
    root = tmp_path_factory.mktemp("finished")
    pack(root / "data", home(root / "data"), root / "a.bundle")
    folder = unpack(root / "a.bundle", root / "rented")
    done = _run(fake_axolotl(root / "bin"), root, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.fixture
def result(finished: Path, tmp_path: Path) -> Path:
    """What comes back of a bundle that left from `data`."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path / "rented" / FOLDER / "result.tar"


def repacked(result: Path, change: Callable[[Path], None], *, listed: bool = False) -> Path:
    """The result with something in it changed, and if asked its list of hashes to match."""
    inside = result.parent / "changed"
    inside.mkdir()
    extract(result, inside)
    change(inside)
    if listed:
        said = json.loads((inside / "result.json").read_bytes())
        files = {str(path.relative_to(inside)): path for path in inside.rglob("*") if path.is_file()}
        said["files"] = {name: sha256(path) for name, path in files.items() if name != "result.json"}
        (inside / "result.json").write_text(json.dumps(said))
    members = {str(path.relative_to(inside)): path for path in inside.rglob("*") if path.is_file()}
    write_tar(result.with_name("changed.tar"), members)
    return result.with_name("changed.tar")


def test_a_result_becomes_personas(data: Path, result: Path) -> None:
    done = greenroom("personas", "add", result, "--data", data)
    assert done.returncode == 0, done.stderr
    personas, broken = load_personas(data / "personas")
    assert not broken
    assert [(persona.id, persona.card.base) for persona in personas] == [("ann", BASE), ("bo", BASE)]
    made_by = personas[0].card.made_by
    assert made_by["recipe"] == "quick"
    assert made_by["adapter"] == "own"
    assert made_by["bundle"] == next((data / RECORDS).iterdir()).stem
    assert personas[0].adapter is not None


def test_the_logs_and_versions_come_home_too(result: Path) -> None:
    with tarfile.open(result) as archive:
        names = archive.getnames()
        said = json.load(archive.extractfile("result.json"))  # type: ignore[arg-type]
    assert {"logs/joint.log", "logs/own-1.log", "manifest.json", "made/own-2/adapter_model.safetensors"} <= set(names)
    assert set(said["stages"]) == {"joint", "own-1", "own-2"}
    assert said["versions"]["python"]


def test_run_goes_on_where_it_was_stopped(data: Path, recipe: Path, run: Run, axolotl: Path, tmp_path: Path) -> None:
    pack(data, recipe, tmp_path / "a.bundle")
    folder = unpack(tmp_path / "a.bundle", tmp_path / "rented")
    (axolotl / "stop").write_text("own-1")
    stopped = run(folder)
    assert stopped.returncode == 2
    assert "axolotl stopped in own-1" in stopped.stderr
    assert not (folder / "result.tar").exists()
    (axolotl / "stop").unlink()
    done = run(folder)
    assert done.returncode == 0, done.stderr
    # The joint adapter is not made again, and the checkpoint that was torn is not gone on from.
    assert "training joint" not in done.stdout
    assert "training own-1 ['--launcher', 'python'] ['checkpoint-1']" in done.stdout
    progress = (folder / "progress.txt").read_text()
    assert progress.count("joint: done") == progress.count("own-2: done") == 1


def test_a_second_run_in_the_same_folder_waits_for_nobody(data: Path, recipe: Path, run: Run, tmp_path: Path) -> None:
    pack(data, recipe, tmp_path / "a.bundle")
    folder = unpack(tmp_path / "a.bundle", tmp_path / "rented")
    holder = subprocess.Popen(["flock", folder / ".lock", "sleep", "60"])
    try:
        while subprocess.run(["flock", "-n", folder / ".lock", "true"]).returncode == 0:
            time.sleep(0.05)
        assert "a run is under way" in run(folder).stderr
    finally:
        subprocess.run(["pkill", "-P", str(holder.pid)])
        holder.wait()


def test_a_machine_that_will_not_do_says_so_before_it_trains(
    data: Path, recipe: Path, run: Run, axolotl: Path, tmp_path: Path
) -> None:
    pack(data, recipe, tmp_path / "a.bundle")
    folder = unpack(tmp_path / "a.bundle", tmp_path / "rented")
    assert "no option --chekc" in run(folder, "--chekc").stderr
    assert "axolotl is not on PATH" in run(folder, PATH="/usr/bin:/bin").stderr
    assert "will do" in run(folder, "--check").stdout
    manifest = json.loads((folder / "work" / "manifest.json").read_bytes())
    manifest["needs"] = {"gpu": True, "gpu_memory_gb": 40, "disk_gb": 1e9}
    (folder / "work" / "manifest.json").write_text(json.dumps(manifest))
    smi = axolotl / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'NVIDIA GeForce RTX 3090, 24576'\n")
    smi.chmod(0o755)
    small = run(folder)
    assert small.returncode == 2
    assert "the GPU has 26 GB, and about 40 are needed" in small.stderr
    assert "of disk are free" in small.stderr
    assert run(folder, "--anyway").returncode == 0
    (folder / "work" / "data" / "train.jsonl").write_text("{}\n")
    assert "data/train.jsonl is damaged or was changed" in run(folder).stderr


def test_a_sealed_bundle_comes_home_sealed_and_leaves_nothing_if_asked(
    data: Path, recipe: Path, run: Run, tmp_path: Path
) -> None:
    pack(data, recipe, tmp_path / "a.bundle", lock=make_lock(PASSPHRASE))
    folder = unpack(tmp_path / "a.bundle", tmp_path / "rented")
    assert "no terminal" in run(folder).stderr
    wrong = run(folder, GREENROOM_PASSPHRASE="wrong wrong")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "does not open" in wrong.stderr
    (tmp_path / "pass").write_text(PASSPHRASE)
    assert run(folder, "--check", "--passphrase-file", tmp_path / "pass").returncode == 0
    # From here on it runs without anybody: the passphrase is not asked for again.
    done = run(folder, "--wipe")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "progress.txt", "result.sealed", "run.sh"]
    sealed = folder / "result.sealed"
    assert "no terminal" in refused("personas", "add", sealed, "--data", data)
    assert "does not open" in refused("personas", "add", sealed, "--data", data, GREENROOM_PASSPHRASE="wrong wrong")
    damaged = folder / "damaged.sealed"
    damaged.write_bytes(sealed.read_bytes()[:-20])
    (tmp_path / "pass").write_text(PASSPHRASE)
    key = ("--passphrase-file", tmp_path / "pass")
    assert "damaged or was changed" in refused("personas", "add", damaged, "--data", data, *key)
    assert greenroom("personas", "add", sealed, "--data", data, *key).returncode == 0


@pytest.mark.parametrize(
    "name", ["made/own-1/adapter_model.safetensors", "scores.json", "manifest.json", "logs/joint.log"]
)
def test_a_file_that_was_changed_on_the_way_is_refused(data: Path, result: Path, name: str) -> None:
    def change(inside: Path) -> None:
        path = inside / name
        path.write_bytes((path.read_bytes() if path.exists() else b"{}") + b" ")

    said = refused("personas", "add", repacked(result, change), "--data", data)
    assert name in said
    assert not (data / "personas").exists()


def test_a_manifest_that_no_bundle_had_is_refused(data: Path, result: Path) -> None:
    def change(inside: Path) -> None:
        manifest = json.loads((inside / "manifest.json").read_bytes())
        manifest["base"]["name"] = "another"
        (inside / "manifest.json").write_text(json.dumps(manifest))

    assert "another bundle's" in refused("personas", "add", repacked(result, change, listed=True), "--data", data)


def test_a_result_that_breaks_off_is_refused(data: Path, result: Path) -> None:
    whole = result.read_bytes()
    # In the middle of a file and of a header, between two entries, and where the last file's content ends too early.
    for cut in (6000, 6144 + 100, 512, len(whole) // 512 * 256, 0):
        result.write_bytes(whole[:cut])
        refused("personas", "add", result, "--data", data)
    result.write_bytes(whole[:1000])
    assert "not a whole tar file" in refused("personas", "add", result, "--data", data)
    assert not (data / "personas").exists()


def test_an_adapter_of_another_base_in_a_result_is_refused(data: Path, result: Path) -> None:
    def change(inside: Path) -> None:
        path = inside / "made" / "own-1" / "adapter_config.json"
        path.write_text(json.dumps({**json.loads(path.read_bytes()), "base_model_name_or_path": "elsewhere"}))

    said = refused("personas", "add", repacked(result, change, listed=True), "--data", data)
    assert "'elsewhere'" in said
    assert not (data / "personas").exists()


def test_a_result_of_another_dataset_is_refused(data: Path, result: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    home(other)
    write_set(other / "dataset", TALK[:2])
    said = refused("personas", "add", result, "--data", other)
    assert "another dataset" in said
    assert not (other / "personas").exists()
    # The set it was made of can lie elsewhere.
    added = greenroom("personas", "add", result, "--data", other, "--dataset", data / "dataset")
    assert added.returncode == 0, added.stderr


def test_a_set_that_was_made_again_since_does_not_lose_what_was_paid_for(data: Path, result: Path) -> None:
    write_set(data / "dataset", TALK[:2])
    assert greenroom("personas", "add", result, "--data", data).returncode == 0


def test_a_result_of_another_base_is_refused(data: Path, result: Path) -> None:
    write_base(data / "models", vocab_size=301)
    assert "vocab_size is 300, here it is 301" in refused("personas", "add", result, "--data", data)
    write_base(data / "models", seed=1)
    assert "model.safetensors" in refused("personas", "add", result, "--data", data)
    assert not (data / "personas").exists()


def test_a_base_that_is_not_here_is_asked_for(data: Path, result: Path) -> None:
    shutil.rmtree(data / "models" / BASE)
    done = greenroom("personas", "add", result, "--data", data)
    assert done.returncode == 0
    assert f"The base {BASE} is not here yet" in done.stdout


def test_a_bundle_is_not_its_result(data: Path, result: Path, tmp_path: Path) -> None:
    assert "a bundle, not what it makes" in refused("personas", "add", tmp_path / "a.bundle", "--data", data)


def test_held_out_loss_comes_home(data: Path, result: Path) -> None:
    def change(inside: Path) -> None:
        one, better = {"nats": 30.0, "tokens": 10, "turns": 2}, {"nats": 20.0, "tokens": 10, "turns": 2}
        scores = {"base": {"Ann": one, "Bo": one}, "own-1": {"Ann": better}, "own-2": {"Bo": better}}
        (inside / "scores.json").write_text(json.dumps(scores))

    assert greenroom("personas", "add", repacked(result, change, listed=True), "--data", data).returncode == 0
    for persona in load_personas(data / "personas")[0]:
        assert (persona.card.made_by["held_out_loss_base"], persona.card.made_by["held_out_loss"]) == (3.0, 2.0)


def test_without_own_stages_everybody_shares_the_adapter(data: Path, recipe: Path, run: Run, tmp_path: Path) -> None:
    pack(data, recipe, tmp_path / "a.bundle", per_persona=False)
    folder = unpack(tmp_path / "a.bundle", tmp_path / "rented")
    assert run(folder).returncode == 0
    assert greenroom("personas", "add", folder / "result.tar", "--data", data).returncode == 0
    personas, _ = load_personas(data / "personas")
    assert [persona.card.made_by["adapter"] for persona in personas] == ["shared", "shared"]


def test_a_model_of_its_own_becomes_a_base(data: Path, recipe: Path, run: Run, tmp_path: Path) -> None:
    whole = write_recipe_for(f"data/models/{BASE}", tmp_path / "whole.yml", adapter=None)
    pack(data, whole, tmp_path / "a.bundle", per_persona=False)
    folder = unpack(tmp_path / "a.bundle", tmp_path / "rented")
    assert run(folder).returncode == 0
    done = greenroom("personas", "add", folder / "result.tar", "--data", data)
    assert done.returncode == 0, done.stderr
    ann, bo = load_personas(data / "personas")[0]
    assert ann.adapter is None
    assert ann.card.base == bo.card.base == f"whole-{ann.card.made_by['bundle'][:8]}"  # type: ignore[index]
    model = data / "models" / ann.card.base
    assert {"config.json", "model.safetensors"} <= {path.name for path in model.iterdir()}
    assert not list(model.glob("*.bin"))
    assert f"greenroom model gguf {ann.card.base}" in done.stdout


def zipped(path: Path, **folders: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, folder in folders.items():
            for file in folder.rglob("*"):
                archive.write(file, os.path.join(name, file.relative_to(folder)))
    return path


def test_a_zip_of_personas_is_added(tmp_path: Path) -> None:
    path = zipped(tmp_path / "cast.zip", milo=SAMPLE_CAST / "milo", pip=SAMPLE_CAST / "pip")
    done = greenroom("personas", "add", path, "--data", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert [persona.id for persona in load_personas(tmp_path / "data" / "personas")[0]] == ["milo", "pip"]


def test_a_zip_of_one_persona_is_called_as_the_file_is(tmp_path: Path) -> None:
    done = greenroom("personas", "add", zipped(tmp_path / "Milo.zip", **{"": SAMPLE_CAST / "milo"}))
    assert done.returncode == 0, done.stderr
    assert "is now the persona milo" in done.stdout


def test_a_zip_that_cannot_be_what_it_says_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as archive:
        archive.writestr("../persona.toml", "speaker = 'x'")
    assert "leads out of it" in refused("personas", "add", tmp_path / "out.zip")
    zipped(tmp_path / "none.zip", adapter=SAMPLE_CAST / "milo" / "adapter")
    assert "holds no persona" in refused("personas", "add", tmp_path / "none.zip")
    (tmp_path / "torn.zip").write_bytes(zipped(tmp_path / "a.zip", milo=SAMPLE_CAST / "milo").read_bytes()[:-50])
    assert "not a whole zip file" in refused("personas", "add", tmp_path / "torn.zip")
    assert "nowhere.zip" in refused("personas", "add", tmp_path / "nowhere.zip")
    # One that cannot be served, and nobody is added.
    bad = tmp_path / "bad"
    shutil.copytree(SAMPLE_CAST / "milo", bad)
    shutil.rmtree(bad / "adapter")
    adapter = write_adapter(bad / "adapter")
    (adapter / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_dora": True})
    )
    path = zipped(tmp_path / "two.zip", able=SAMPLE_CAST / "pip", bad=bad)
    assert "DoRA" in refused("personas", "add", path, "--data", tmp_path / "data")
    assert not (tmp_path / "data" / "personas").exists()
