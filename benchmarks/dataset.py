"""How fast datasets are written from the message store, and how much memory it takes.

    python -m benchmarks.dataset --messages 1000000

Fills a store with an invented history (one owner, 120 people in chats of very different length, a fifth of it in
groups, eight years) and writes a set of everybody with 1,000 messages: without redaction, with it, and with a real
tokenizer where one is given, each in a process of its own. The floor, in the same run: reading every message out of
the store in the order of time and writing it as a line of JSON. Ratios are to the floor's seconds. Prints one JSON
object.
"""

import argparse
import json
import random
import tempfile
from pathlib import Path

from benchmarks.measuring import measured
from train.messages import Chat, ChatKind, Kind, Message
from train.people import set_owner_account
from train.store import Store, open_store

_WORDS = (
    "the train is late again and nobody knows why so see you at eight or maybe not haha ok wait what no yes really "
    "good morning dinner tonight i think we should just go home sorry was asleep call me when you are there lol sure "
    "привет как дела нормально давай завтра я уже дома ладно хорошо не знаю может быть спасибо пока"
).split()
_NAMES = (
    "Anna Boris Clara Denis Elena Fyodor Greta Hugo Irina Jonas Katya Leo Maria Nikolai Olga Pavel Rosa Sasha Tom Vera"
).split()
_FAMILIES = "Abel Brandt Castle Dorn Egorov Falk Gruber Hale Ivanov Keller Lang Moroz Novak Ortega Petrov Quinn".split()
_EXTRAS = (
    "my number is +49 151 2345{:04d}",
    "mail me at anna.{:04d}@example.org",
    "https://example.org/a/{:04d}?token=abcdef0123456789",
    "code {:04d}12",
    "😭😭",
    "HAHAHA",
    "at {:02d}:30 then",
)

_BUILD = """
import resource, sys, time
from pathlib import Path
from train.dataset import ESTIMATE, Options, find_counter, write_dataset
from train.store import open_store
data, out, redact, tokenizer = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "redact", sys.argv[4]
counter = find_counter(tokenizer, data) if tokenizer else ESTIMATE
with open_store(data) as store:
    start = time.perf_counter()
    (written,) = write_dataset(store, out, Options(redact=redact), counter=counter)
    seconds = time.perf_counter() - start
# Two processes share the work: the peaks of both, which do not come at the same time.
peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(written.train_lines + written.eval_lines, sum(peaks) * (1 if sys.platform == "darwin" else 1024), seconds)
"""
_FLOOR = """
import sys, time, msgspec
from pathlib import Path
from train.store import open_store
encode = msgspec.json.encode
with open_store(Path(sys.argv[1])) as store, open(sys.argv[2], "wb") as out:
    start = time.perf_counter()
    for (chat,) in store.db.execute("SELECT id FROM chats").fetchall():
        query = "SELECT time_ms, sender_id, text FROM messages WHERE chat_id = ? ORDER BY time_ms, seq, message"
        for row in store.db.execute(query, [chat]):
            out.write(encode(row) + b"\\n")
    print(0, 0, time.perf_counter() - start)
"""


def fill(store: Store, messages: int) -> None:
    """Put an invented history into `store`; the same for the same number."""
    chance = random.Random(0)
    people = [f"{first} {family}" for family in _FAMILIES[:6] for first in _NAMES]
    shares = [1 / (place + 1) for place in range(len(people))]
    number = store.start_import(store.path, "benchmark", 0)
    set_owner_account(store.db, store.account_id("telegram", "user0", "Me Myself"))
    left = messages
    for place, name in enumerate(people):
        count = left if place == len(people) - 1 else min(left, round(messages * shares[place] / sum(shares)))
        left -= count
        group = place % 5 == 4
        chat = f"{'g' if group else 'p'}{place}"
        store.note_chat(Chat("telegram", chat, name, ChatKind.GROUP if group else ChatKind.PERSONAL))
        there = [(0, "Me Myself"), (place + 1, name)]
        if group:
            there += [(other + 1, people[other]) for other in chance.sample(range(len(people)), 6)]
        now = 1_400_000_000_000 + place * 1_000_000
        batch: list[Message] = []
        for message in range(count):
            now += chance.choice((2, 5, 9, 30, 90, 1500)) * 1000 if chance.random() < 0.9 else 40_000_000
            who, called = chance.choice(there)
            text = " ".join(chance.choices(_WORDS, k=min(40, int(chance.expovariate(1 / 6)) + 1)))
            if chance.random() < 0.05:
                text += " " + chance.choice(_EXTRAS).format(chance.randint(0, 9999))
            kind = Kind.PHOTO if chance.random() < 0.03 else Kind.TEXT
            batch.append(Message("telegram", chat, message, now, text, kind, f"user{who}", called, offset_min=60))
            if len(batch) == 2000:
                store.add_messages(batch, number)
                batch = []
        store.add_messages(batch, number)
    store.commit()


def main() -> None:
    """Print messages per second and peak memory of each way, with the ratio to the floor."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--tokenizer", default="", help="count with this tokenizer.json too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with open_store(data) as store:
            fill(store, given.messages)
        floor = measured(_FLOOR, data, Path(folder) / "floor.jsonl")
        if floor is None:
            raise SystemExit("the floor could not be measured")
        result: dict[str, object] = {"messages": given.messages, "floor_s": round(float(floor[-1]), 2)}
        ways = {"plain": ("", ""), "redacted": ("redact", "")}
        if given.tokenizer:
            ways["plain_with_tokenizer"] = ("", str(Path(given.tokenizer).resolve()))
        for name, (redact, tokenizer) in ways.items():
            done = measured(_BUILD, data, Path(folder) / name, redact, tokenizer)
            if done is None:
                raise SystemExit(f"{name}: the dataset could not be written")
            result[name] = {
                "lines": int(done[0]),
                "seconds": round(float(done[2]), 2),
                "messages_per_s": round(given.messages / float(done[2])),
                "times_floor": round(float(done[2]) / float(floor[-1]), 2),
                "peak_mib": round(int(done[1]) / 2**20, 1),
            }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
