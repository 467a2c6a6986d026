"""What `run.sh` does on the rented machine besides training: look, remember what is done, pack the result.

    python -m train.bundle.machine check [--anyway]     in the unpacked bundle

It travels in the bundle and runs in axolotl's environment, from the unpacked bundle's folder, with nothing of
Greenroom's around it but what came along.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from train.bundle.archive import first_difference, sha256, write_tar

MANIFEST = "manifest.json"
RESULT = "result.json"
RESULT_FORMAT = 1
STATE = Path("state")
SCORES = STATE / "scores.json"
_PACKAGES = "axolotl torch transformers peft accelerate trl datasets bitsandbytes flash-attn".split()
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
# A model of its own: everything an engine reads, and no pickles.
_MODEL_PATTERNS = ("*.safetensors", "*.json", "tokenizer.model", "*.jinja", "merges.txt")
_NOT_OF_A_MODEL = {"trainer_state.json", *_ADAPTER_FILES}


class MachineError(Exception):
    """The bundle cannot run here, or not go on; the message says why and what to do in one line."""


def check(manifest: dict[str, Any], anyway: bool) -> None:
    """See that the bundle is whole, and that this machine has what it needs.

    Raises:
        MachineError: something is missing.
    """
    wrong = first_difference(Path(), manifest["files"])
    if wrong:
        raise MachineError(f"the bundle is not as it was packed: {wrong}. Copy it here again, and start afresh.")
    versions = _versions()
    if manifest["axolotl"] and versions.get("axolotl") != manifest["axolotl"]:
        print(f"Note: axolotl {versions.get('axolotl')} is here; the recipe was tried with {manifest['axolotl']}.")
    needs, missing = manifest["needs"], []
    gpus = _gpus()
    for name, gigabytes in gpus:
        print(f"GPU: {name}, {gigabytes:.0f} GB")
    if needs["gpu"] and not gpus:
        missing.append("no NVIDIA GPU is seen (nvidia-smi), and this recipe needs one")
    elif gpus and needs["gpu_memory_gb"] and max(gigabytes for _, gigabytes in gpus) < needs["gpu_memory_gb"]:
        missing.append(
            f"the GPU has {max(gigabytes for _, gigabytes in gpus):.0f} GB, and about {needs['gpu_memory_gb']:.0f} are "
            "needed (a larger card, a smaller micro_batch_size, or load_in_4bit in the recipe)"
        )
    free = shutil.disk_usage(".").free / 1e9
    print(f"Disk: {free:.0f} GB free, about {needs['disk_gb']:.1f} needed")
    if free < needs["disk_gb"]:
        missing.append(f"{free:.0f} GB of disk are free, and about {needs['disk_gb']:.0f} are needed")
    if missing and not anyway:
        raise MachineError(f"{'; '.join(missing)}. To try all the same: --anyway")
    for one in missing:
        print(f"Going on all the same, though {one}.")


def prepare(stage: dict[str, Any]) -> None:
    """Make ready to begin a stage, or to go on with it: a checkpoint that a kill has torn is taken away.

    transformers writes `trainer_state.json` last, so a checkpoint without one is not whole.
    """
    for checkpoint in Path(stage["out"]).glob("checkpoint-*"):
        try:
            json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))
        except (OSError, ValueError):
            print(f"{checkpoint} was not finished and is taken away.")
            shutil.rmtree(checkpoint)
    start = STATE / f"{stage['name']}.started"
    start.parent.mkdir(exist_ok=True)
    if not start.exists():
        start.write_text(f"{time.time():.0f}")


def finish(stage: dict[str, Any], manifest: dict[str, Any]) -> None:
    """Remember that a stage is done, once what it was to make is there.

    Raises:
        MachineError: it is not.
    """
    out = Path(stage["out"])
    made = out / "adapter_config.json" if manifest["adapter"] else out / "config.json"
    if not made.is_file():
        raise MachineError(f"axolotl ended, but there is no {made}; its last words are in logs/{stage['name']}.log.")
    seconds = time.time() - float((STATE / f"{stage['name']}.started").read_text())
    done = {"seconds": round(seconds), "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    (STATE / f"{stage['name']}.done").write_text(json.dumps(done))


def pack(manifest: dict[str, Any], out: Path) -> None:
    """Write what was made to the tar file `out`: adapters or the model, logs, trainer states, versions, scores."""
    members: dict[str, Path | bytes] = {}
    stages: dict[str, Any] = {}
    for stage in manifest["stages"]:
        stages[stage["name"]] = json.loads((STATE / f"{stage['name']}.done").read_text("utf-8"))
        made = Path(stage["out"])
        for file in _made(made, manifest["adapter"]):
            members[f"made/{stage['name']}/{file.name}"] = file
        states = sorted(made.glob("checkpoint-*/trainer_state.json"), key=lambda path: path.stat().st_mtime)
        for state in [*states[-1:], *made.glob("trainer_state.json")]:
            members[f"logs/{stage['name']}.trainer_state.json"] = state
    for log in Path("logs").glob("*.log"):
        members[f"logs/{log.name}"] = log
    if SCORES.is_file():
        members["scores.json"] = SCORES
    members[MANIFEST] = Path(MANIFEST)
    result = {
        "format": RESULT_FORMAT,
        "bundle": sha256(Path(MANIFEST)),
        "stages": stages,
        "versions": _versions(),
        "gpus": [name for name, _ in _gpus()],
        "base": _base(manifest),
        "files": {name: sha256(content) for name, content in members.items() if isinstance(content, Path)},
    }
    members[RESULT] = json.dumps(result, indent=1, sort_keys=True, ensure_ascii=False).encode()
    write_tar(out, members)


def _made(out: Path, adapter: bool) -> list[Path]:
    if adapter:
        return [out / name for name in _ADAPTER_FILES]
    found = {path for pattern in _MODEL_PATTERNS for path in out.glob(pattern)}
    return sorted(path for path in found if path.name not in _NOT_OF_A_MODEL)


def _base(manifest: dict[str, Any]) -> dict[str, Any]:
    """The base that was trained on: its configuration, and its commit where it came from Hugging Face."""
    if manifest["base"]["source"] == "bundle":
        return {"config": json.loads((Path(manifest["base"]["path"]) / "config.json").read_text("utf-8"))}
    from transformers import AutoConfig

    revision = manifest["base"]["revision"]
    config = AutoConfig.from_pretrained(manifest["base"]["path"], **({"revision": revision} if revision else {}))
    return {"config": config.to_dict(), "commit": getattr(config, "_commit_hash", None)}


def _versions() -> dict[str, str]:
    versions = {"python": sys.version.split()[0]}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _gpus() -> list[tuple[str, float]]:
    """The name and memory (GB) of each NVIDIA GPU that is seen here."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [line.rsplit(",", 1) for line in said.stdout.splitlines() if "," in line] if said.returncode == 0 else []
    return [(name.strip(), float(mebibytes) * (1 << 20) / 1e9) for name, mebibytes in rows]


def main() -> None:
    """Do one thing for `run.sh`; exit code 2 and a line on what cannot be done."""
    parser = argparse.ArgumentParser(prog="machine")
    parser.add_argument("do", choices=["check", "stages", "prepare", "finish", "scoring", "pack"])
    parser.add_argument("what", nargs="?", default="")
    parser.add_argument("--anyway", action="store_true")
    arguments = parser.parse_args()
    try:
        manifest = json.loads(Path(MANIFEST).read_text("utf-8"))
        stages = {stage["name"]: stage for stage in manifest["stages"]}
        match arguments.do:
            case "check":
                check(manifest, arguments.anyway)
            case "stages":
                # For the shell to read: name, configuration, launcher, and whether it is done.
                for stage in stages.values():
                    done = "done" if (STATE / f"{stage['name']}.done").exists() else "todo"
                    print(stage["name"], stage["config"], stage["launcher"], done, sep="\t")
            case "prepare":
                prepare(stages[arguments.what])
            case "finish":
                finish(stages[arguments.what], manifest)
            case "scoring":
                print("\n".join(manifest["scoring"]))
            case "pack":
                pack(manifest, Path(arguments.what))
    except (MachineError, OSError, ValueError) as error:
        print(f"run.sh: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
