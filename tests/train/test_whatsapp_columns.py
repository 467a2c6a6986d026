"""Blocks of one layout are taken apart at once: what is found is what the lines say one by one."""

from itertools import chain, repeat

import pytest

from train.sources.whatsapp_columns import columns_of
from train.sources.whatsapp_headers import headers_in

HEADERS = {
    "android": "3/{}/24, 10:05 - ",
    "android, 12 hours": "{}/3/24, 9:05\u202fPM - ",
    "android, dashes": "2024-03-{}, 10:05 - ",
    "iphone": "[{}.03.24, 10:05:07] ",
    "iphone, with a mark": "\u200e[{}/03/2024, 10:05:07 AM] ",
    "iphone, without a blank": "[{}/03/2024, 10:05:07]",
    "iphone until 2017": "{}/03/2016, 10:05:07: ",
}
BODIES = (
    "Zoë: hi",
    "Bob: a\nb: c\n\n12 eggs\n[1] x",
    "Bob: 10:05 - x",
    "you left",
    "Ann\u200e: B: c",
    ": x",
    "",
    "Zoë: ",
)


def block(*headers: str) -> str:
    lines = (f"{head.format(n % 20 + 1)}{body}\n" for n, (head, body) in enumerate(zip(headers, BODIES, strict=True)))
    return "".join(lines)


def agree(text: str) -> None:
    columns = columns_of(text)
    assert columns is not None
    one_by_one = list(headers_in(text))
    assert columns.begins == [start for start, _, _, _ in one_by_one]
    assert columns.ends == [header.end for _, _, header, _ in one_by_one]
    assert columns.seconds == [header.second for _, _, header, _ in one_by_one]
    assert columns.authors == [author for _, _, _, author in one_by_one]
    days = chain.from_iterable(repeat(date, count) for date, count in columns.days())
    assert list(days) == [(header.parts, header.digits) for _, _, header, _ in one_by_one]
    assert {columns.shape} == {header.shape for _, _, header, _ in one_by_one}
    assert columns.line == one_by_one[0][1]


@pytest.mark.parametrize("head", HEADERS.values(), ids=HEADERS)
def test_a_block_of_one_layout_is_what_its_lines_are(head: str) -> None:
    agree(block(*[head] * len(BODIES)))
    agree("the rest of a message\n\n" + block(*[head] * len(BODIES)))
    agree(block(*[head] * len(BODIES)).removesuffix("\n"))
    agree(block(*[head] * len(BODIES)).replace("\n", "\r\n"))


OTHERS = [*HEADERS.values(), "{} de ago. de 2022 14:56 - ", "١٣/٢/٢٠٢٤, ٩:٠٥ - ", "{}/3/24, 99:99 - "][1:]


@pytest.mark.parametrize("other", OTHERS)
def test_a_block_with_another_layout_in_it_is_left_to_be_read_line_by_line(other: str) -> None:
    head = HEADERS["android"]
    assert columns_of(block(*[head] * 4, other, *[head] * 3)) is None


def test_text_without_a_message_has_no_columns() -> None:
    assert columns_of("") is None
    assert columns_of("hi\n12 eggs\n") is None
