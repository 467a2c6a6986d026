"""Widens a street with its number to the whole address: what is before and behind it, between commas.

"Flat 402, Shanti Apartments, 14 M.G. Road, Bengaluru 560001": parts with capitals belong to it up to the last one that
holds a number, and so do a flat or a house with a name before it.
"""

import re

_PART = (
    r"(?:[«\"]?[A-ZÀ-ÞА-ЯЁ][\w'’.-]{0,25}[»\"]?|\d{1,6}[A-Za-zА-Яа-я]{0,2}(?!\w)|\d{2,5}-\d{2,4}(?!\w)|\d{1,2}(?:st|nd|rd|th)|"
    r"(?i:apt|apto|flat|floor|fl|unit|suite|ste|room|lok|m|int|esc|piso|andar|izq|izda|dcha|dta|tv|th|mf|bajo|ático|appt|apartment|of|near|opp|no|кв|оф|"
    r"подъезд|подъезда|под|эт|этаж|корп|к|стр|лит|д|с|дом)\b\.?|[-–/#№]|\d{1,2}[ºª°.])"
)
_PARTS = rf"{_PART}(?: {_PART}){{0,4}}"
_NEXT = re.compile(
    r"(?:,| [-–—])? {1,2}(?P<parts>"
    r"(?P<city>(?<=, )[A-ZÀ-ÞА-ЯЁ][\w'’-]{2,25}(?: [A-ZÀ-ÞА-ЯЁ][\w'’-]{2,25}){0,2}(?=\s?(?:[.,;!?)\n]|\Z)))|"
    rf"{_PARTS})(?=\s{{0,2}}(?:[,.;:!?)\n]|[-–—] |\Z))"
)
_MONTH = re.compile(
    r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun|янв|фев|мар|апр|мая|июн|июл|авг|"
    r"сен|окт|ноя|дек)",
    re.I,
)
_FLAT_BEFORE = re.compile(
    r"(?<!\w)(?:(?i:flat|apt\.?|apartment|unit|suite|room|shop|floor|level|lot|block|plot|house|кв\.?|квартира)"
    r"\s(?:no\.?\s|№\s?)?[\w-]{1,5}|"
    r"[A-Z][\w'’-]{1,20}(?: [A-Z][\w'’-]{1,20}){0,4})(?:, (?:[A-Z][\w'’-]{1,20}(?: [A-Z][\w'’-]{1,20}){0,4})){0,2},\s\Z"
)
_HOUSE = re.compile(
    r"\b(?:house|cottage|forge|court|apartments?|building|park|farm|lodge|villas?|mill|barn|hall|towers?|centre|center|"
    r"residency|heights|mansions?|flats?|apt|unit|suite|room|shop|floor|level|lot|block|plot|society|complex|maltings|"
    r"the|estate|works|кв|квартира)\b",
    re.I,
)
_CITY_BEFORE = re.compile(
    r"(?<![\w.])(?:(?:г(?:ород|\.)?|м(?:істо|\.)|п(?:ос(?:[её]лок|\.)?|гт\.?|\.)|с(?:ело|\.)|д(?:еревня|\.)|р-н|обл\.?)\s?)?"
    r"[А-ЯЁІЇЄ][а-яёіїє-]{2,24}(?: [А-ЯЁІЇЄ][а-яёіїє-]{2,24})?(?: (?:область|обл\.?|край|район|р-н))?,\s{1,2}\Z"
)
_MAX_PARTS = 5


def widened(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the place of the whole address whose street and number are `text[start:end]`."""
    whole = at = end
    for _ in range(_MAX_PARTS):
        following = _NEXT.match(text, at)
        if following is None or _MONTH.search(following["parts"]):
            break
        if at == end and following["city"] is not None:
            # "12 Main Street, Boise": the town right behind it.
            whole = following.end()
        at = following.end()
        if any(map(str.isdigit, following["parts"])):
            whole = at
    line = max(text.rfind("\n", 0, start) + 1, start - 90)
    before = _FLAT_BEFORE.search(text, line, start)
    if before is not None and _HOUSE.search(before[0]):
        start = before.start()
    else:
        city = _CITY_BEFORE.search(text, line, start)
        start = city.start() if city else start
    return start, whole
