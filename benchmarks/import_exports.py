"""How fast exports are read into the store, and how much memory it takes.

    python -m benchmarks.import_exports --messages 500000

Writes a Telegram export of invented messages to a temporary folder and imports it in a process of its own, once
into an empty store and once more into the full one. The ratio is to a bare `ijson` parse of the same file in the
same run, so it can be compared between machines. Prints one JSON object.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = "the train is late again and nobody knows why 😭 see you at eight or so haha ok привет".split()

_PARSE = """
import sys, time, ijson
start = time.perf_counter()
with open(sys.argv[1], "rb") as stream:
    count = sum(1 for _ in ijson.items(stream, "messages.item"))
print(count, time.perf_counter() - start, ijson.backend)
"""
_IMPORT = """
import resource, sys, time
from pathlib import Path
from train.importing import import_paths
from train.store import open_store
start = time.perf_counter()
with open_store(Path(sys.argv[2])) as store:
    (report,) = import_paths(store, [Path(sys.argv[1])])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(report.kept, time.perf_counter() - start, peak * (1 if sys.platform == "darwin" else 1024))
"""


def write_export(path: Path, messages: int) -> None:
    """Write a Telegram single-chat export laid out as Telegram Desktop does; the same for the same number."""
    chance = random.Random(0)
    now = 1_600_000_000
    with path.open("w", encoding="utf-8") as stream:
        stream.write('{\n "name": "Bob",\n "type": "personal_chat",\n "id": 2,\n "messages": [\n')
        for number in range(1, messages + 1):
            now += chance.choice((2, 5, 9, 30, 90, 4000))
            text = " ".join(chance.choices(WORDS, k=chance.randint(1, 14)))
            who = chance.randint(1, 2)
            row = {
                "id": number,
                "type": "message",
                "date": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now + 3600)),
                "date_unixtime": str(now),
                "from": ("Alice", "Bob")[who - 1],
                "from_id": f"user{who}",
                "text": text,
                "text_entities": [{"type": "plain", "text": text}],
            }
            lines = json.dumps(row, indent=1, ensure_ascii=False).replace("\n", "\n  ")
            stream.write(f"  {lines}{',' if number < messages else ''}\n")
        stream.write(" ]\n}")


def measured(program: str, *arguments: Path) -> list[str]:
    """Run a program in a process of its own and return the words it prints."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split()


def main() -> None:
    """Print messages per second, the ratio to a bare parse, and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=200_000)
    messages = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as folder:
        export, data = Path(folder) / "result.json", Path(folder) / "data"
        write_export(export, messages)
        parse_s = float(measured(_PARSE, export)[1])
        _, first_s, peak = measured(_IMPORT, export, data)
        _, again_s, _ = measured(_IMPORT, export, data)
        result = {
            "messages": messages,
            "file_mib": round(export.stat().st_size / 2**20, 1),
            "import_messages_per_s": round(messages / float(first_s)),
            "again_messages_per_s": round(messages / float(again_s)),
            "ijson_messages_per_s": round(messages / parse_s),
            "times_ijson": round(parse_s / float(first_s), 3),
            "peak_mib": round(int(peak) / 2**20, 1),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
