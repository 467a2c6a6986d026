"""What the import benchmarks share: programs timed in processes of their own, and one way to report them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

_IMPORT = """
import resource, sys, time
from pathlib import Path
from train.importing import import_paths
from train.messages import Reading
from train.store import open_store
with open_store(Path(sys.argv[2])) as store:
    start = time.perf_counter()
    reports = import_paths(store, [Path(sys.argv[1])], reading=Reading(timezone="UTC"))
    seconds = time.perf_counter() - start
# The export may be read in a process of its own: what both took at most, at whatever moment each did.
peak = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(sum(report.kept for report in reports), seconds, peak * (1 if sys.platform == "darwin" else 1024))
"""


def measured(program: str, *arguments: Path | str) -> list[str] | None:
    """Run a program in a process of its own and return the words it prints; None when it cannot be run here."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr.strip().splitlines()[-1:], file=sys.stderr)
    return done.stdout.split() if done.returncode == 0 else None


def report_import(export: Path, messages: int, others: dict[str, str]) -> None:
    """Import `export` into a new store and again into the full one; print rates, and ratios to the other programs.

    `others` are programs by name: the floor and the peers. Each is given the export and prints seconds last; one
    that fails (a peer that is not installed) is left out, with its reason on the error output.
    """
    data = export.parent / "data"
    first, again = measured(_IMPORT, export, data), measured(_IMPORT, export, data)
    if first is None or again is None:
        raise SystemExit("the import failed")
    assert int(first[0]) == messages, f"{first[0]} of {messages} messages were kept"
    seconds = float(first[1])
    result: dict[str, Any] = {
        "messages": messages,
        "file_mib": round(export.stat().st_size / 2**20, 1),
        "import_messages_per_s": round(messages / seconds),
        "again_messages_per_s": round(messages / float(again[1])),
        "peak_mib": round(int(first[2]) / 2**20, 1),
    }
    for name, program in others.items():
        words = measured(program, export)
        if words is not None:
            result[f"{name}_messages_per_s"] = round(messages / float(words[-1]))
            result[f"times_{name}"] = round(float(words[-1]) / seconds, 2)
    print(json.dumps(result, indent=1))
