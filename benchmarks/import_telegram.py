"""How fast a Telegram export is read into the store, and how much memory it takes.

    python -m benchmarks.import_telegram --messages 1000000

Writes an export of invented messages to a temporary folder, about 400 bytes a message as real ones have, and imports
it in a process of its own, once into an empty store and once more into the full one. In the same run: a bare `ijson`
parse of the file, the floor of every streaming reader, and the peer `chat-miner`, where it is installed. Ratios are
to Greenroom's seconds: 2.0 is twice as long. Prints one JSON object.
"""

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measuring import report_import

WORDS = "the train is late again and nobody knows why 😭 see you at eight or so haha ok привет".split()

_IJSON = """
import sys, time, ijson
start = time.perf_counter()
with open(sys.argv[1], "rb") as stream:
    count = sum(1 for _ in ijson.items(stream, "messages.item"))
print(count, time.perf_counter() - start)
"""
_CHAT_MINER = """
import sys, time, logging
from chatminer.chatparsers import TelegramJsonParser
start = time.perf_counter()
parser = TelegramJsonParser(sys.argv[1])
parser.parse_file()
parser.parsed_messages.get_df()
print(time.perf_counter() - start)
"""


def _row(number: int, now: int, chance: random.Random) -> dict[str, Any]:
    who = chance.randint(1, 2)
    text = " ".join(chance.choices(WORDS, k=chance.randint(1, 14)))
    row: dict[str, Any] = {
        "id": number,
        "type": "message",
        "date": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now + 3600)),
        "date_unixtime": str(now),
        "from": ("Alice", "Bob")[who - 1],
        "from_id": f"user{who}",
    }
    if number > 5 and chance.random() < 0.15:
        row["reply_to_message_id"] = number - chance.randint(1, 5)
    if chance.random() < 0.05:
        row |= {
            "photo": "(File not included. Change data exporting settings to download.)",
            "width": 960,
            "height": 1280,
        }
    if chance.random() < 0.03:
        row |= {"edited": row["date"], "edited_unixtime": str(now + 60)}
    link = {"type": "link", "text": "https://example.org/a/long/link?with=things"}
    linked = chance.random() < 0.08
    row["text"] = [f"{text} ", link] if linked else text
    row["text_entities"] = [{"type": "plain", "text": text}, *([link] if linked else [])]
    if chance.random() < 0.08:
        recent = [{"from": "Bob", "from_id": "user2", "date": row["date"]}]
        row["reactions"] = [{"type": "emoji", "count": 1, "emoji": "❤", "recent": recent}]
    return row


def write_export(path: Path, messages: int) -> None:
    """Write a Telegram single-chat export laid out as Telegram Desktop does; the same for the same number."""
    chance = random.Random(0)
    now = 1_200_000_000
    with path.open("w", encoding="utf-8") as stream:
        stream.write('{\n "name": "Bob",\n "type": "personal_chat",\n "id": 2,\n "messages": [\n')
        for number in range(1, messages + 1):
            now += chance.choice((2, 5, 9, 30, 90, 2000))
            lines = json.dumps(_row(number, now, chance), indent=1, ensure_ascii=False).replace("\n", "\n  ")
            stream.write(f"  {lines}{',' if number < messages else ''}\n")
        stream.write(" ]\n}")


def main() -> None:
    """Print messages per second, the ratios to the floor and the peer, and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=200_000)
    messages = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / "result.json"
        write_export(export, messages)
        report_import(export, messages, {"ijson": _IJSON, "chat_miner": _CHAT_MINER})


if __name__ == "__main__":
    main()
