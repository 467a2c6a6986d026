"""How fast a WhatsApp text export is read into the store, and how much memory it takes.

    python -m benchmarks.import_whatsapp --messages 300000

Writes an Android export of invented messages and imports it in a process of its own. In the same run: one regular
expression matched against each line, the floor, and the peers `whatstk` and `chat-miner`, where they are installed.
Ratios are to Greenroom's seconds: 2.0 is twice as long. Prints one JSON object.
"""

import argparse
import random
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.import_telegram import WORDS
from benchmarks.measuring import report_import

_REGEX = r"""
import re, sys, time
start = time.perf_counter()
header = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2}), (\d{1,2}):(\d{2}) - ([^:]+): (.*)")
with open(sys.argv[1], encoding="utf-8") as stream:
    count = sum(header.match(line) is not None for line in stream)
print(count, time.perf_counter() - start)
"""
_WHATSTK = """
import sys, time
from whatstk import WhatsAppChat
start = time.perf_counter()
chat = WhatsAppChat.from_source(filepath=sys.argv[1])
print(len(chat.df), time.perf_counter() - start)
"""
_CHAT_MINER = """
import sys, time, logging
from chatminer.chatparsers import WhatsAppParser
start = time.perf_counter()
parser = WhatsAppParser(sys.argv[1])
parser.parse_file()
parser.parsed_messages.get_df()
print(time.perf_counter() - start)
"""


def write_export(path: Path, messages: int) -> None:
    """Write an Android export with an eighth of its messages over two lines; the same for the same number."""
    chance = random.Random(0)
    now = datetime(2019, 1, 1)
    with path.open("w", encoding="utf-8") as stream:
        for _ in range(messages):
            now += timedelta(seconds=chance.choice((2, 5, 9, 30, 90, 1000)))
            text = " ".join(chance.choices(WORDS, k=chance.randint(1, 14)))
            if chance.random() < 0.05:
                text = "<Media omitted>"
            elif chance.random() < 0.12:
                text += "\nand " + chance.choice(WORDS)
            stream.write(f"{now:%d/%m/%y, %H:%M} - {chance.choice(('Alice', 'Bob Lee'))}: {text}\n")


def main() -> None:
    """Print messages per second, the ratios to the floor and the peers, and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=100_000)
    messages = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / "WhatsApp Chat with Bob Lee.txt"
        write_export(export, messages)
        report_import(export, messages, {"regex": _REGEX, "whatstk": _WHATSTK, "chat_miner": _CHAT_MINER})


if __name__ == "__main__":
    main()
