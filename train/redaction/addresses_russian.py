"""Finds addresses in Russian and Ukrainian: a street with a house, villages and plots, flats."""

import re

from train.redaction import russian
from train.redaction.spans import Found

# Villages, plots and flats that have no street.
_RUSSIAN_PLOT = re.compile(
    r"(?<!\w)(?:(?:снт|днп|днт|кп|деревня|дер\.?|село|пос[её]лок|пос\.|хутор|станица|мкр\.?|"
    r"микрорайон)\s{1,2}[«\"]?[А-ЯЁа-яё-]{3,24}[»\"]?"
    r"(?:\s[А-ЯЁ][а-яё-]{2,24})?,?\s{1,2}(?:д(?:ом|\.)?|уч(?:асток|\.)?|№)?\s?\d{1,4}[а-е]?"
    r"(?:,?\s(?:кв(?:артира|\.)?)\s?\d{1,4})?(?![\w%₽]|[.:,]\d|\s(?:сот|км|минут|мин|час|руб|человек|лет|год))|"
    r"(?:почтовый )?индекс[\s:–—-]{1,4}\d{6}(?!\w)|"
    r"кв(?:артир[ае])?\.?\s{0,2}№?\s?\d{1,4}(?=\s{0,2}(?:[,.;!?)\n]|\Z))|"
    r"\d{1,4}(?:-?[юяй])? квартир[ауые](?=\s{0,2}(?:[,.;!?)\n]|\Z)))",
    re.I,
)

_R = r"[а-яё]"
_STREET = (
    r"(?:ул(?:ица|ице|ицу|ицы|ицей|\.)?|пр(?:оспект(?:а|е|у|ом)?|-кт|-т|\.)|просп\.|пр-д|проезд(?:а|е)?|"
    r"пер(?:еул(?:ок|ка|ке|\.)|\.)|ш(?:оссе|\.)|наб(?:ережн(?:ая|ой|ую)|\.)|"
    r"вул\.?|вулиц[яіюи]|просп|пров\.|пр\b|б-р|бульв|м-он|мкр-н|"
    r"бульвар(?:а|е)?|б-р|бул\.|бульв\.|пл(?:ощад(?:ь|и)|\.)|алле(?:я|е|и|ю)|алл\.|туп(?:ик(?:а|е)?|\.)|м-н|мкр\.?|"
    r"мкрн\.?|микрорайон(?:е)?|лини(?:я|и|ю)|тракт|спуск|ст\.)"
)
_WORD = (
    r"(?:\d{1,3}-(?:й|я|ая|ой|го|ый)|\d{1,2}(?= [А-ЯЁа-яё]{3})|(?:[А-ЯЁ]\.\s?){1,2}[А-ЯЁ][а-яё-]{1,24}|"
    r"[А-ЯЁа-яё][А-Яа-яёЁ-]{1,24}|[ВП]\.\s?[ОС]\.)"
)
_HOUSE = (
    r",?\s{0,2}(?:(?:д(?:ом|оме)?\.?|влад\.?|вл\.?)"
    r"\s{0,2}№?\s?)?\d{1,4}(?:\s?[а-еА-Е](?!\w))?(?:\s?[/-]\s?\d{1,4}[а-еА-Е]?)?"
    r"(?:,?\s{0,2}(?:к(?:орп(?:ус|\.)?|\.)?|стр(?:оение|\.)?|с\.?)\s{0,2}\d{1,4}(?:/\d{1,3})?){0,2}"
    r"(?:,?\s{0,2}лит(?:ера?|\.)?\s?[А-Яа-я](?!\w))?"
)
_FLAT = (
    r"(?:,?\s{0,2}(?:кв(?:артира|артире|\.)?|оф(?:ис|\.)?|под(?:ъезд|ъезде|\.)?|эт(?:аж|аже|\.)?|ком(?:ната|н|"
    r"\.)?|домофон|пом\.?)\s{0,2}№?\s?\d{1,5}(?:[#*кКkKвВ]\d{3,6}|[а-е])?(?!\w)|,?\s{1,2}\d{1,3}(?:-?й)? (?:подъезд|"
    r"этаж|эт\.?)(?!\w)){0,4}"
)
_NO_HOUSE = (
    r"\s?(?:минут|мин|час|руб|км|метр|раз|год|лет|числа|январ|феврал|март|апрел|мая|серия|серии|страниц|балл|этаж|"
    r"сотых|процент|человек|июн|июл|август|сентябр|октябр|ноябр|декабр|дн(?:я|ей)|недел|месяц|тыс|млн|шт|кг|гр?\b|"
    r"р\b|штук|сот|евро|доллар|очк|гол)"
)
_RUSSIAN = re.compile(
    r"(?<!\w)(?:\d{6},?\s{1,2})?"
    r"(?:(?:г(?:ород|\.)|п(?:ос(?:[её]лок|\.)?|\.|гт\.?)|с(?:ело|\.)|д(?:еревня|\.)|ст(?:аница|\.)|клх|к\.)"
    r"\s{0,2}[А-ЯЁ][а-яё-]{1,24}(?:\s[А-ЯЁ][а-яё-]{1,24})?,?\s{1,2}|[А-ЯЁ][а-яё-]{2,24},\s{1,2})?"
    rf"(?:{_STREET}\s{{0,2}}(?:{_WORD}\s{{1,2}}){{0,3}}{_WORD}|"
    rf"(?:{_WORD}\s{{1,2}}){{0,2}}[А-ЯЁа-яё][А-Яа-яёЁ-]{{2,24}}\s{{1,2}}{_STREET}|"
    rf"\d{{1,2}}-я лини[яию](?:\s[ВП]\.\s?[ОС]\.)?)"
    rf"{_HOUSE}{_FLAT}(?![\w%₽]|[.:,]\d|{_NO_HOUSE})",
    re.I,
)
_RUSSIAN_FLAT = re.compile(
    r"(?<!\w)д(?:ом|оме|\.)\s{0,2}№?\s?\d{1,4}\s?[а-е]?(?:/\d{1,3})?(?:,?\s{0,2}(?:к(?:орп(?:ус|\.)?|\.)|стр\.?)"
    r"\s{0,2}\d{1,3})?,?\s{0,2}(?:кв(?:артира|\.)?)\s{0,2}№?\s?\d{1,5}(?!\w)",
    re.I,
)
# A street without a word for one: "на Ленина 45", "адрес Мира 7 к2 кв 18". Its form tells: somebody's surname in the
# genitive, an adjective, or what streets are called after.
_NAMED = re.compile(
    r"(?<!\w)(?P<lead>(?:на|до|по|с|со|к|в|адрес\w{0,3}|жив[уёе]\w{0,3}|прожива\w{1,4}|такси|прописк\w{1,3}|"
    r"курьеру?|доставк\w{1,2}|едем|еду|переехал\w{0,2})[\s:–—-]{1,3})?"
    r"(?P<street>(?:\d{1,3}-?(?:й|я|ая|ой|ю|го)\s)?(?:[А-ЯЁа-яё][а-яё-]{2,24}\s){0,2}?[А-ЯЁа-яё][а-яё-]{2,24})"
    rf"{_HOUSE}(?P<flat>{_FLAT}|-\d{{1,4}})(?P<more>,?\s{{1,2}}(?:кв|подъезд|вход|двор|код|домофон)\w{{0,6}})?"
    rf"(?![\w%₽:]|[.,]\d|{_NO_HOUSE}|\s(?:за|из|до|по)\s\d)"
)
_CALLED_AFTER = frozenset(
    """мира победы революции октября мая свободы труда дружбы космонавтов строителей молодежи молодёжи героев
    партизан энтузиастов металлургов коммунаров восстания просвещения мужества славы шахтеров шахтёров нефтяников
    мичуринская ленинградка дмитровка ордынка полянка маросейка покровка лубянка""".split()
)


# Words of a sentence, which no street is called by.
_NO_RUSSIAN_NAME = frozenset(
    """за по в с от до через было будет стоит стоят был была есть нет и или а но что это там тут где мы ты я он она они
    вы не уже ещё еще очень красивая темный хороший длиной около""".split()
)


def find_russian_addresses(text: str, found: Found) -> None:
    """Find Russian and Ukrainian addresses."""
    for match in _RUSSIAN.finditer(text):
        if not _NO_RUSSIAN_NAME.isdisjoint(match[0].casefold().split()[:4]):
            continue
        found.add(match.start(), match.end(), "address")
    for match in _NAMED.finditer(text):
        start = _street_start(match)
        if start is not None:
            found.add(start, match.end("flat"), "address")
    for pattern in (_RUSSIAN_PLOT, _RUSSIAN_FLAT):
        found.add_all(pattern, "address")


def _street_start(match: re.Match[str]) -> int | None:
    """Return where a street begins that no word for one stands beside; None where it is none."""
    words = [(word[0], word.start()) for word in re.finditer(r"\S+", match["street"])]
    name, at = words[-1]
    told = match["lead"] or match["flat"] or match["more"]
    alone = match.start() == 0 and match.end() == len(match.string.rstrip())
    named = name.casefold() in _CALLED_AFTER or russian.is_surname_of_whom(name)
    if not (name[0].isupper() and (told or alone)) and not (named and match["lead"]):
        return None
    if not (named or russian.is_street_adjective(name)):
        return None
    if name[0].islower() and not match["lead"].startswith(("на", "адрес", "жив", "до")):
        return None
    # "Большую Дмитровку": the words of a name have capitals.
    for word, before in reversed(words[:-1]):
        if not (word[0].isupper() or word[0].isdigit()):
            break
        at = before
    return match.start("street") + at
