"""How fast an iMessage database with archived bodies is read into the store, and how much memory it takes.

    python -m benchmarks.import_imessage --messages 300000

Writes a `chat.db` of invented messages, whose text is in the archive alone, and imports it in a process of its own.
In the same run: selecting the same rows, the floor, and the peer `pytypedstream` decoding the same bodies. Ratios are
to Greenroom's seconds: 2.0 is twice as long. Prints one JSON object.
"""

import argparse
import random
import tempfile
from pathlib import Path

from benchmarks.import_telegram import WORDS
from benchmarks.measuring import report_import
from tests.train.test_imessage_db import Phone
from tests.train.typedstreams import body

_SELECT = """
import sqlite3, sys, time
start = time.perf_counter()
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
count = sum(1 for _ in db.execute("SELECT ROWID, guid, attributedBody, date, is_from_me, handle_id FROM message"))
print(count, time.perf_counter() - start)
"""
_PEER = """
import sqlite3, sys, time
import typedstream
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
start = time.perf_counter()
count = sum(1 for (raw,) in db.execute("SELECT attributedBody FROM message") if typedstream.unarchive_from_data(raw))
print(count, time.perf_counter() - start)
"""


def main() -> None:
    """Print messages per second, the ratios to the floor and the peer, and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=100_000)
    messages = parser.parse_args().messages
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        phone = Phone(Path(folder) / "chat.db")
        for number in range(1, messages + 1):
            text = " ".join(chance.choices(WORDS, k=chance.randint(1, 14)))
            raw = body(text, mutable=chance.random() < 0.5)
            phone.add(number, None, attributedBody=raw, is_from_me=chance.random() < 0.5)
        report_import(phone.done(), messages, {"select": _SELECT, "pytypedstream": _PEER})


if __name__ == "__main__":
    main()
