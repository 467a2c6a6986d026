"""The report of a set: a page to be looked at, that holds what was counted and nothing that can act."""

import json
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from persona.errors import UserError
from train.conversations import Utterance
from train.dataset import ESTIMATE, Options, write_dataset
from train.dataset.charts import MOST_BARS, OTHERS, by_length, by_size, by_time
from train.dataset.options import RULES
from train.dataset.reasons import reason
from train.dataset.report import MOST_SESSION_BYTES, write_report
from train.dataset.tally import Example, Tally
from train.dataset.tokens import TokenCounter
from train.importing import import_paths
from train.store import Store

Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]

HOUR = 3600
HOSTILE = [
    "<script>alert(1)</script>",
    "</style></section><h1>mine</h1>",
    "'\"><svg/onload=alert(1)>",
    "<img src=https://example.com/pixel.png>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; &amp;",
    "\u202eabc \u2066def",
    "Z" + "\u0334\u0336\u0301" * 50,
    "\x00\x1b[31m \ud800",
    "x" * 5000,
]


class Exact:
    """Counts with something else than the estimate."""

    name = "model/tokenizer.json"

    def count(self, texts: Any) -> list[int]:
        return [1 for _ in texts]


@pytest.fixture
def page(tmp_path: Path) -> Callable[..., Any]:
    """Write the report of a tally and parse it."""

    def written(tally: Tally, counter: TokenCounter = ESTIMATE, **options: Any) -> Any:
        write_report(tmp_path, Options(**options), tally, counter=counter)
        return html.fromstring((tmp_path / "report.html").read_text("utf-8"))

    return written


@pytest.fixture
def tally() -> Tally:
    """A good set of two personas."""
    tally = Tally(["Alice", "Bob"], 0)
    for number, persona in enumerate(tally.personas.values(), 1):
        persona.trained, persona.evaluated, persona.tokens = 1000 * number, 100 * number, 12345 * number
        persona.texts = ["what a lovely day", "lovely"] * 40
    tally.kept = 4300
    tally.lines.update(train=90, eval=10)
    tally.tokens.update(train=67890, eval=70)
    tally.months.update({("2024-01", "Alice"): 5, ("2024-03", "Alice"): 7, ("2024-03", "Bob"): 11})
    tally.session_messages.update({3: 60, 40: 40})
    tally.line_tokens.update({100: 30, 1000: 60})
    return tally


def text_of(element: Any) -> str:
    return " ".join(element.text_content().split())


def section(page: Any, name: str) -> Any:
    (found,) = page.xpath(f"//section[@id='{name}']")
    return found


def table(page: Any, where: str, caption: str) -> dict[str, list[str]]:
    """A table's rows by their heading."""
    rows = section(page, where).xpath(f".//table[starts-with(normalize-space(caption), '{caption}')]/tbody/tr")
    return {text_of(row[0]): [text_of(cell) for cell in row[1:]] for row in rows}


def warnings(page: Any) -> str:
    return " ".join(text_of(one) for one in section(page, "summary").xpath(".//li"))


def test_the_summary_says_what_each_persona_learns_from(page: Callable[..., Any], tally: Tally) -> None:
    written = page(tally, Exact())
    assert table(written, "summary", "What each persona") == {
        "Bob": ["2,000", "24,690", "200"],
        "Alice": ["1,000", "12,345", "100"],
    }
    assert text_of(section(written, "summary").xpath(".//strong")[0]).startswith("Yes")
    assert warnings(written) == ""
    facts = {text_of(one[0]): text_of(one[1]) for one in section(written, "summary").xpath(".//dl/div")}
    assert facts["messages to learn"] == "3,000"
    assert facts["tokens read"] == "67,890"
    assert facts["held-out lines"] == "10"


def test_what_speaks_against_a_set_is_said_in_words(page: Callable[..., Any], tally: Tally) -> None:
    assert "estimated" in warnings(page(tally))
    tally.personas["Alice"].trained = 200
    tally.personas["Alice"].evaluated = 5
    tally.personas["Bob"].evaluated = 0
    tally.dropped["walls"] = 3000
    said = warnings(page(tally, Exact()))
    assert re.search(r"Few messages: .?Alice.? \(200\)", said)
    assert re.search(r"Few replies held out: .?Alice.? \(5\)", said)
    assert re.search(r"Nothing held out for .?Bob", said)
    assert "41%" in said
    assert "--keep walls" in said
    assert "--eval-share 0" in warnings(page(tally, Exact(), eval_share=0.0))


def test_what_was_asked_for_is_nothing_to_warn_of(page: Callable[..., Any], tally: Tally) -> None:
    tally.dropped["sessions without a persona"] = 10**6
    assert warnings(page(tally, Exact())) == ""


def test_months_and_persons_are_in_bars_and_in_a_table(page: Callable[..., Any], tally: Tally) -> None:
    written = page(tally)
    # Whoever wrote most comes first; a month without a message is there.
    assert table(written, "time", "Messages by month") == {
        "Jan 2024": ["5", "0", "5"],
        "Feb 2024": ["0", "0", "0"],
        "Mar 2024": ["7", "11", "18"],
        "all": ["12", "11", "23"],
    }
    titles = [text_of(one) for one in section(written, "time").xpath(".//svg//title")]
    assert titles == ["Jan 2024: 5 Alice: 5", "Mar 2024: 18 Bob: 11 Alice: 7"]
    heights = [float(one.get("height")) for one in section(written, "time").xpath(".//svg//rect")]
    assert [heights[1] / heights[0], heights[2] / heights[1]] == pytest.approx([7 / 5, 11 / 7])


def test_many_months_become_quarters_and_then_years() -> None:
    def chart(months: int) -> Any:
        return by_time(
            type(Tally([], 0).months)({(f"{2000 + n // 12}-{n % 12 + 1:02}", "A"): 2 for n in range(months)})
        )

    assert (chart(48).unit, len(chart(48).bars)) == ("month", 48)
    assert (chart(49).unit, len(chart(49).bars), chart(49).bars[-1].label) == ("quarter", 17, "Q1 2004")
    assert (chart(300).unit, len(chart(300).bars), chart(300).bars[0].total) == ("year", 25, 24)


def test_clocks_that_were_wrong_do_not_stretch_the_chart() -> None:
    months = type(Tally([], 0).months)({(f"{year:04}-01", "A"): 1 for year in range(1000, 9999, 10)})
    months["2024-05", "A"] = 500
    months["0000-00", "A"] = 3
    chart = by_time(months)
    assert len(chart.bars) <= MOST_BARS
    assert "2024" in [bar.label for bar in chart.bars]
    assert sum(bar.total for bar in chart.bars) + chart.elsewhere == months.total()


def test_people_past_the_eighth_are_everybody_else() -> None:
    chart = by_time(type(Tally([], 0).months)({("2024-01", f"P{n:02}"): 100 - n for n in range(20)}))
    assert chart.series == [f"P{n:02}" for n in range(8)] + [OTHERS]
    assert chart.totals[-1] == sum(100 - n for n in range(8, 20))


@pytest.mark.parametrize("sizes", [{1: 4}, {2: 3, 30: 9}, {1: 1, 7: 2, 5000: 1}, {}])
def test_every_size_is_in_the_bar_that_says_so(sizes: dict[int, int]) -> None:
    chart = by_size(type(Tally([], 0).line_tokens)(sizes))
    assert sum(bar.total for bar in chart.bars) == sum(sizes.values())
    for bar in chart.bars:
        low, high = (int(one.replace(",", "")) for one in (bar.label.split("–") * 2)[:2])
        high = int(bar.label.split("–")[-1].replace(",", ""))
        assert bar.total == sum(count for size, count in sizes.items() if low <= size <= high)


def test_the_limit_stands_where_lines_end() -> None:
    counts = type(Tally([], 0).line_tokens)({1: 1, 1024: 5})
    full = by_length(counts, 1024)
    assert (full.limit, len(full.bars), full.bars[-1].total) == (1.0, 16, 5)
    assert by_length(counts, 0).limit is None
    counts[1500] = 1
    beyond = by_length(counts, 1024)
    assert beyond.limit == pytest.approx(1024 / (len(beyond.bars) * 64))
    assert sum(bar.total for bar in beyond.bars) == 7


def test_kept_and_dropped_add_up_to_the_store_in_plain_words(page: Callable[..., Any], tally: Tally) -> None:
    tally.dropped.update({"walls": 120, "a new reason": 80})
    tally.untrained["short replies (--keep-short)"] = 33
    tally.redacted.update(phone=4, link=9)
    kept = section(page(tally, redact=True), "kept")
    said = text_of(kept)
    assert "Of 4,500 messages in the store, 4,300 are in the set, and 200 are not." in said
    assert "3,000 are learnt, 300 are held out to test with, and 1,000 are read" in said
    rows = [text_of(one) for one in kept.xpath(".//li/div")]
    assert rows[-3:] == ["Pasted walls of text120 · 3 %", "A new reason80 · 2 %", "Read only: short replies33 · 100 %"]
    assert "--keep walls" in said
    assert "link: 9, phone: 4." in said


def test_every_cleaning_rule_has_words_and_the_option_that_undoes_it() -> None:
    for rule in RULES:
        name = "one-sided sessions" if rule == "one-sided" else rule
        assert reason(name).change == f"--keep {rule}"
        assert reason(name).meaning


def test_phrases_are_those_of_each_persona(page: Callable[..., Any], tally: Tally) -> None:
    tally.personas["Bob"].texts = ["nay", "splendid weather today"] * 200
    found = {}
    for one in section(page(tally), "phrases").xpath("./details"):
        found[text_of(one.xpath("./summary")[0])] = [text_of(chip) for chip in one.xpath(".//li")]
    assert "splendid weather today 200×" in found["Bob"]
    assert "nay 200×" in found["Bob"]
    assert not any("nay" in chip for chip in found["Alice"])


def examples(page: Any) -> list[tuple[str, list[tuple[str, bool, str]]]]:
    """Sessions as shown: the heading, and each turn's speaker, whether it is trained, and its text."""
    found = []
    for one in section(page, "sessions").xpath("./section"):
        rows = []
        for turn in one.xpath(".//div[contains(@class, 'turn')]"):
            lines = [bubble.text_content() for bubble in turn.xpath("./p[@class='bubble']")]
            speaker = "".join(turn.xpath("./p[@class='who'][1]/bdi/text()"))
            rows.append((speaker, "trained" in turn.get("class").split(), "\n".join(lines)))
        found.append((text_of(one.xpath("./h3")[0]), rows))
    return found


def test_the_trained_spans_are_exactly_those_of_the_lines(
    store: Store, telegram_chat: Write, telegram_row: Row, tmp_path: Path
) -> None:
    rows = [
        telegram_row(
            8 * hour + n, ("Bob", "Alice", "Carol", "Alice")[n // 2], f"{hour}.{n} <b>&amp;", at=hour * HOUR + n
        )
        for hour in range(9)
        for n in range(8)
    ]
    import_paths(store, [telegram_chat(rows)])
    write_dataset(store, tmp_path / "out", Options(personas=("Alice",), min_messages=1))
    lines = [json.loads(line)["conversations"] for line in (tmp_path / "out" / "train.jsonl").open(encoding="utf-8")]
    written = html.fromstring((tmp_path / "out" / "report.html").read_text("utf-8"))
    assert [shown for _, shown in examples(written)] == [
        [(turn["from"], turn["train"], turn["value"]) for turn in line] for line in lines
    ]
    assert table(written, "summary", "What each persona")["Alice"][0] == str(
        sum(turn["value"].count("\n") + 1 for line in lines for turn in line if turn["train"])
    )


def test_a_session_says_its_local_day_and_time_and_where_it_was(page: Callable[..., Any], tally: Tally) -> None:
    turns = [
        Utterance("system", "Alice, Bob", False),
        Utterance("Bob", "hi", False),
        Utterance("Alice", "[photo]", True),
    ]
    tally.add_example(Example("whatsapp", 1_710_000_000_000, 330, turns))
    tally.add_example(Example("telegram", 1_710_000_000_000 + 1, None, turns))
    tally.add_example(Example("sms", 10**18, 0, turns))
    shown = examples(page(tally))
    assert [heading for heading, _ in shown] == [
        "Saturday, 9 March 2024, 21:30 · WhatsApp",
        "Saturday, 9 March 2024, 16:00 UTC · Telegram",
        "No date · SMS",
    ]
    assert shown[0][1] == [("", False, "Alice, Bob"), ("Bob", False, "hi"), ("Alice", True, "[photo]")]


def test_long_sessions_are_folded_and_whole(page: Callable[..., Any], tally: Tally) -> None:
    turns = [Utterance(("Bob", "Alice")[n % 2], f"line {n}", n % 2 == 1) for n in range(60)]
    tally.add_example(Example("telegram", 0, 0, turns))
    written = page(tally)
    (fold,) = section(written, "sessions").xpath(".//details")
    assert text_of(fold.xpath("./summary")[0]) == "48 more turns"
    assert [row[2] for row in examples(written)[0][1]] == [turn.value for turn in turns]


def test_hostile_names_and_messages_stay_text(page: Callable[..., Any], tmp_path: Path) -> None:
    names = [name[:80] for name in HOSTILE]
    tally = Tally(names, 0)
    for name in names:
        tally.personas[name].trained = 10
        tally.personas[name].texts = HOSTILE * 20
        tally.months["2024-01", name] = 3
    for hostile in HOSTILE:
        tally.dropped[hostile] += 9
        tally.redacted[hostile] += 9
        tally.add_example(Example(hostile[:40], 0, 0, [Utterance(name, hostile, True) for name in names]))
    written = page(tally, redact=True)
    allowed = "html head meta title style body header nav main footer section details summary h1 h2 h3 h4 p strong code"
    allowed += " a ul li dl dt dd div span bdi table caption thead tbody tr th td figure figcaption svg g path rect"
    assert {one.tag for one in written.iter()} <= set(allowed.split())
    assert len(written.xpath("//h1")) == 1
    assert not [name for one in written.iter() for name in one.attrib if name.startswith("on")]
    text = written.text_content()
    assert "<script>alert(1)</script>" in text
    assert "{{ 7 * 7 }}" in text
    assert "&lt;b&gt; &amp;" in text


def test_nothing_is_loaded_from_anywhere(page: Callable[..., Any], tally: Tally, tmp_path: Path) -> None:
    written = page(tally)
    assert not written.xpath("//script | //link | //img | //iframe | //object | //embed | //base | //form")
    assert all(link.startswith("#") for link in written.xpath("//@href"))
    assert not written.xpath("//@src | //@srcset | //@action")
    (policy,) = written.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert "default-src 'none'" in policy
    style = written.xpath("//style")[0].text
    assert "url(" not in style
    assert "@import" not in style


def test_every_place_the_page_points_to_is_there(page: Callable[..., Any], tally: Tally) -> None:
    written = page(tally)
    assert {link[1:] for link in written.xpath("//@href")} <= set(written.xpath("//@id"))


def test_every_chart_has_a_name_and_its_numbers(page: Callable[..., Any], tally: Tally) -> None:
    written = page(tally)
    charts = written.xpath("//figure")
    assert len(charts) == 3
    for chart in charts:
        assert chart.xpath(".//svg[@role='img']/@aria-label")
        assert chart.getnext().tag == "details"
        assert chart.getnext().xpath(".//table")


def test_without_redaction_the_page_warns(page: Callable[..., Any], tally: Tally) -> None:
    assert page(tally, redact=False).xpath("//*[@id='not-redacted']")
    written = page(tally, redact=True)
    assert not written.xpath("//*[@id='not-redacted']")
    assert "Private" in text_of(written.xpath("//header")[0])


def test_an_empty_set_has_a_report_that_says_no(page: Callable[..., Any]) -> None:
    for tally in (Tally([], 0), Tally(["Alice"], 0)):
        written = page(tally, max_tokens=0)
        assert text_of(section(written, "summary").xpath(".//strong")[0]).startswith("No")


def test_the_file_is_its_owners_alone_and_written_whole(page: Callable[..., Any], tally: Tally, tmp_path: Path) -> None:
    page(tally)
    path = tmp_path / "report.html"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.glob("report*")] == ["report.html"]
    with pytest.raises(UserError, match="cannot be written"):
        write_report(tmp_path / "nowhere", Options(), tally, counter=ESTIMATE)


def test_the_same_tally_gives_the_same_bytes(page: Callable[..., Any], tally: Tally, tmp_path: Path) -> None:
    page(tally)
    first = (tmp_path / "report.html").read_bytes()
    page(tally)
    assert (tmp_path / "report.html").read_bytes() == first


@pytest.mark.parametrize("text", ["&" * 100_000, "\n" * 100_000, "ы" * 100_000, "\"'<>\n" * 20_000, "мама мыла раму"])
def test_the_page_stays_below_a_megabyte(page: Callable[..., Any], tmp_path: Path, text: str) -> None:
    tally = Tally([f"Persona {number} {'<' * 60}" for number in range(300)], 0)
    for number, name in enumerate(tally.personas):
        tally.personas[name].trained = number
        tally.personas[name].texts = [text, f"слово{number} & ещё одно"] * 5
        tally.months.update({(f"{year}-0{number % 9 + 1}", name): 3 for year in range(1900, 2100)})
    for _ in range(10):
        turns = [Utterance(f"Persona 1 {'<' * 60}", text, bool(n % 2)) for n in range(900)]
        tally.add_example(Example("telegram", 0, 0, turns))
    page(tally)
    size = (tmp_path / "report.html").stat().st_size
    assert 10 * MOST_SESSION_BYTES / 4 < size < 1_000_000


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def schemes(page: Any) -> Iterator[dict[str, str]]:
    style = page.xpath("//style")[0].text
    for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL):
        yield dict(re.findall(r"--(\w[\w-]*): (#[0-9a-f]{6});", block))


def test_colours_hold_their_contrast_in_light_and_dark(page: Callable[..., Any], tally: Tally) -> None:
    found = list(schemes(page(tally)))
    assert len(found) == 2
    for colours in found:
        # WCAG 2.2: 4.5 for text, 3 for what a chart is read by.
        for ground in ("page", "card", "trained", "context", "warn", "good"):
            assert contrast(colours["text"], colours[ground]) >= 4.5
        for ground in ("page", "card", "context"):
            assert contrast(colours["soft"], colours[ground]) >= 4.5
        assert contrast(colours["accent"], colours["card"]) >= 4.5
        for series in range(9):
            assert contrast(colours[f"s{series}"], colours["card"]) >= 3
