"""How long redaction takes for a chat message, with names to look for, compared with a floor and with Presidio.

    python -m benchmarks.redaction --messages 200000 --people 300

Invented messages of one to fourteen words, English and Russian; of a hundred, two hold a phone number, a link, a code
or the like, two a time or a number, three a name. The floor walks the same list with one regular expression. The peer
is Microsoft Presidio's analyzer, with its pattern recognisers and an empty language model, on a sample of them; it is
left out where it is not installed (it brings spaCy, 390 MB). One process, one core. Prints one JSON object.
"""

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import time

from benchmarks.import_telegram import WORDS
from tests.train.redaction_set import Maker, naming, people
from tests.train.redaction_templates import DEVELOPED_EN, DEVELOPED_NAMES_EN, DEVELOPED_NAMES_RU, DEVELOPED_NOTHING
from train.redaction import RedactionKey, Redactor

RUSSIAN = """привет ну да нет давай завтра сегодня потом я ты мы они где когда почему хорошо ладно спасибо дома работа
пойдём купил видел думаю знаю может точно вообще просто очень никак опять тогда""".split()

_PRESIDIO = """
import json, sys, time
import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine
class Empty(NlpEngine):
    def __init__(self): self.nlp = spacy.blank("en")
    def load(self): pass
    def is_loaded(self): return True
    def get_supported_entities(self): return []
    def get_supported_languages(self): return ["en"]
    def is_stopword(self, word, language): return False
    def is_punct(self, word, language): return False
    def process_batch(self, texts, language, **more): return ((t, self.process_text(t, language)) for t in texts)
    def process_text(self, text, language):
        doc = self.nlp(text)
        return NlpArtifacts([], doc, [t.idx for t in doc], [t.text for t in doc], self, language)
registry = RecognizerRegistry()
registry.load_predefined_recognizers(languages=["en"])
registry.remove_recognizer("SpacyRecognizer")
analyzer = AnalyzerEngine(registry=registry, nlp_engine=Empty(), supported_languages=["en"])
texts = json.load(sys.stdin)
analyzer.analyze(texts[0], language="en")
start = time.perf_counter()
for text in texts:
    analyzer.analyze(text, language="en")
print(json.dumps((time.perf_counter() - start) / len(texts)))
"""


def messages(count: int, known: int) -> tuple[list[str], Redactor]:
    """Return invented messages, and a redactor that hides `known` people, half of them Russian."""
    chance = random.Random(0)
    hidden = [*people(1, "en_US", known // 2, 1), *people(2, "ru_RU", known // 2, known)]
    english, russian = hidden[: known // 2], hidden[known // 2 :]
    maker = Maker(0, ["en_US"], ["ru_RU"], [])
    values = maker.values("en_US")
    values["phone2"] = values["phone"]
    rich = [maker.fill(one, values).text for one in DEVELOPED_EN for _ in range(5)]
    plain = [maker.fill(one, values).text for one in DEVELOPED_NOTHING for _ in range(5)]
    named = [one.text for one in naming(maker, DEVELOPED_NAMES_EN, english, 200)]
    named += [one.text for one in naming(maker, DEVELOPED_NAMES_RU, russian, 200)]
    texts = []
    for _ in range(count):
        words = chance.choice((WORDS, WORDS, RUSSIAN))
        texts.append(" ".join(chance.choices(words, k=chance.randint(1, 14))))
        sort = chance.random()
        if sort < 0.07:
            texts[-1] = chance.choice(rich if sort < 0.02 else plain if sort < 0.04 else named)
    return texts, Redactor(RedactionKey(None, b"0" * 32), hidden=hidden, shown=[], forgotten=None)


def main() -> None:
    """Print microseconds a message, ratios and the memory that redaction took."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--sample", type=int, default=2_000, help="how many of them Presidio is given")
    parser.add_argument("--presidio", default=sys.executable, help="the Python that has Presidio")
    given = parser.parse_args()
    unit = 1 if sys.platform == "darwin" else 1024
    start = time.perf_counter()
    texts, redactor = messages(given.messages, given.people)
    built = time.perf_counter() - start
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    floor = re.compile(r"\d{6}")
    start = time.perf_counter()
    for text in texts:
        floor.search(text)
    floor_s = time.perf_counter() - start
    start = time.perf_counter()
    for text in texts:
        redactor.redact(text)
    seconds = time.perf_counter() - start
    result = {
        "messages": len(texts),
        "people": given.people,
        "setup_s": round(built, 2),
        "us_per_message": round(seconds / len(texts) * 1e6, 1),
        "s_per_million": round(seconds / len(texts) * 1e6, 1),
        "times_floor": round(seconds / floor_s, 1),
        "more_mib": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before) / 2**20, 1),
        "replaced": dict(redactor.counts),
    }
    peer = subprocess.run(
        [given.presidio, "-c", _PRESIDIO],
        input=json.dumps(texts[: given.sample]),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TLDEXTRACT_CACHE": os.devnull},
    )
    if peer.returncode == 0:
        presidio = float(peer.stdout.split()[-1])
        result["presidio_us_per_message"] = round(presidio * 1e6, 1)
        result["presidio_times_greenroom"] = round(presidio * len(texts) / seconds, 1)
    else:
        print(peer.stderr.strip().splitlines()[-1:], file=sys.stderr)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
