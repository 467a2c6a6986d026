"""Finds one-time codes, PINs, codes of doors, safes and parcels: after a word for them, before one, and below one."""

import re

from train.redaction.spans import Found

CODE_WORDS = frozenset(
    """code codes pin pincode pins otp totp 2fa cvv cvc cvv2 cvc2 cid csc cv2 tan puk mtan код коды кода коде кодом
    кодик
    пин пинкод пинкода пинкодом пук codigo código códigos codice codici geheimzahl zahlencode bestätigungscode
    sicherheitscode zugangscode verifizierungscode домофон домофона домофоне домофону домофоном use enter verify
    verification введите введи вводи набирай подтверждения цвв цвк цвц обороте оборотной обратной back passcode combo
    combination lockbox keybox keysafe safe locker padlock lock gate door doors дверь двери buzzer intercom keypad
    alarm unlock unlocks garage
    box entry authenticator guard шифр шифра sms смс смска смски смску смс-ка text texted sent пришло пришел пришёл
    пришли цифры
    цифрами калитка калитки калитке калитку ворота воротах шлагбаум шлагбаума сейф сейфа сейфе кейс кейса чемодан
    чемодана замок замка замке велозамок велозамка сигналка сигналки сигнализация сигнализации ячейка ячейки постамат
    постамата двухфакторка двухфакторки аутентификатор аутентификатора password passwort пароль token secret секрет
    passkey apple""".split()
)
CODE_CUE = re.compile(
    r"(?<!\w)(?:(?:pin|пин|qr|tan|sms|смс)[- ]?)?(?:codes?|код(?:ы|а|е|ом|ик)?|c[oó]digos?|codic[ei]|pins?|pincode|"
    r"пин(?:код)?(?:а|ом)?|пук|otp|totp|2fa|cv[vc]?2?|cid|csc|цв[вкц]|m?tan|puk|passcode|passkey|"
    r"geheimzahl|шифр\w?|\w{3,20}code|домофон(?:[аеу]|ом)?|authenticator|двухфакторк[аи]|аутентификатор|"
    r"одноразовый пароль|"
    r"one[- ]time password|пароль для входа)(?!\w)",
    re.I,
)
# Of locks: what follows them at once is their code.
LOCK_CUE = re.compile(
    r"(?<!\w)(?:comb(?:o|ination)|двер[ьи]|doors?|lock ?box|key ?(?:safe|box|pad)|safe|locker|padlock|lock|gate|"
    r"buzzer|buzz|intercom|"
    r"alarm|unlocks?|garage|entry|steam guard|калитк[аиеу]|ворот(?:а|ах)|шлагбаум\w?|сейф\w?|(?:вело)?зам(?:ок|ка|ке)|"
    r"сигналк[аи]|сигнализаци[яи]|ячейк[аи]|постамат\w?|чемодан\w?|кейс\w?|набирай|домофон)(?!\w)",
    re.I,
)
_TOLD = re.compile(
    r"(?<!\w)(?:(?:из |в |по |вот |пришл[аои] )?(?:смс|sms)(?:к[аиу])?|пришл[оаи]|приш[её]л|цифры(?: такие)?|"
    r"text(?:ed)? me|sent me|вводи|введи|got(?: a| the)? text)"
    r"[\s:–—-]{1,4}(?P<value>\d{4,8}|\d{3}[- ]\d{3})(?![\w%$€£₽]|[.,:/]\d|\s?(?:р|руб|т|к|тыс|k|usd|eur|раз|"
    r"шт)\w{0,4}\b)",
    re.I,
)
_BEFORE_LOCK = re.compile(
    r"(?<![\w.,:/#*-])(?P<value>[#*]?\d{4,8}[#*]?)\s{1,2}(?:for|at|to|on|opens|для|от|на|это|"
    r"открывает)\s{1,2}(?:the |my |our )?"
    r"(?:front |back |main |bike |gym )?(?:alarm|gate|door|lock|locker|safe|garage|lockbox|keypad|калитк|ворот|сейф|"
    r"замок|замк|"
    r"двер|подъезд|сигнал)",
    re.I,
)
_VALUE = re.compile(
    r"(?<![\w.,:/-])(?:[A-Z]{1,3}-\d{4,8}|\d{2}[- ]\d{2}[- ]\d{2}|\d{3}[- ]\d{3}(?:[- ]\d{3})?|\d{1,4}[#*]\d{3,8}|"
    r"[А-ЯЁ]-?\d{3,6}(?!\w)|\d{2}[- ]\d{2}(?![- ]?\d)|\d{4}[- ]\d{4}(?![- ]?\d)|\d(?:[ -]\d){2,7}(?![ -]?\d)|"
    r"[#*]?\d{3,10}[#*]?|"
    r"(?=[A-Za-z0-9А-Яа-я-]{0,30}\d)[A-Za-z0-9А-Яа-я]{4,64}(?:-[A-Za-z0-9]{2,12}){0,7})(?![\w%$€£₽@!&](?!\s|\Z)|"
    r"[\w%$€£₽]|[.,:/]\d)"
)
_MONEY_BEFORE = re.compile(
    r"(?:\b(?:inr|rs\.?|usd|eur|gbp|rub|aed|cad|aud|на сумму|сумма|amount(?: of)?)|"
    r"[$€£₽₹])\s{0,2}\Z",
    re.I,
)
_LOCK_VALUE = re.compile(
    r"(?<![\w.,:/#*-])(?:\d(?:[ -]\d){2,7}(?![ -]?\d)|\d{2}[- ]\d{2}[- ]\d{2}|\d{1,4}[#*кКkKвВ]\d{3,8}|"
    r"[A-Z]?\d{4,8}[A-Z#*]?|[#*]\d{3,8}[#*]?|"
    r"\d{3}[#*]|\d{3})"
    r"(?![\w%$€£₽]|[.,:/]\d)"
)
_NO_CODE = re.compile(
    r"(?:\b(?:zip|postal|post|area|country|dial(?:l?ing)?|promo|discount|coupon|voucher|error|exit|status|response|"
    r"http|return|source|dress|bar|"
    r"qr|morse|color|colour|hex|vs|building's|tax|swift|iata|sort|city|state|no|с?ошибк\w+|штрих|промо|"
    r"почтов\w+|телефонн\w+|"
    r"исходн\w+|машинн\w+|penal|civil|legacy|same|airport|currency|language|machine|byte|unicode|ascii|clean|"
    r"genetic|"
    r"uncle|python|java|javascript|c\+\+|write|writing|wrote|lines of|of)[\s-]{1,2}|промо|штрих)\Z",
    re.I,
)
_NO_CODE_AFTER = re.compile(
    r"\s{0,2}(?:ошибк\w+|ответа|возврата|города|региона|"
    r"страны|error|review|base|freeze|camp|lines?|of conduct|status|товара|оквэд|"
    r"окпо|тн вэд)",
    re.I,
)
AMOUNT_AFTER = re.compile(
    r"\s{0,2}(?:[$€£₽%]|(?:руб\w*|р|тыс\w*|млн|к|k|usd|eur|gbp|bucks|dollars?|euros?|pounds?|lines?|people|users|times|"
    r"tokens?|words?|chars?|characters|строк\w*|раз|ошиб\w+|штук|шт|метр\w*|кг|kg|км|km|mb|gb|символ\w*|минут\w*|mins?|"
    r"minutes?|hours?|days?|час\w*|дн\w+|лет|год\w*|years?)(?!\w))",
    re.I,
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_NUMBER_BEFORE = re.compile(
    r"(?<![\w.,:/-])(?P<code>[A-Z]{1,2}-\d{4,8}|\d{3}[- ]\d{3}|\d{4,8})(?!\w|"
    r"[.,:/]\d)(?P<between>[^\d\n]{1,60}?)(?<!\w)"
    r"(?:(?:pin|otp|2fa|code|password|passcode|one[- ]time|код|пароль|пин|cv[vc]|цвв|c[oó]digo|codice|senha|"
    r"contraseña|на обороте|с обратной стороны)(?!\w)|\w{3,20}code(?!\w))",
    re.I,
)
_BETWEEN = re.compile(
    r"\s{0,2}(?:[-–—:=(,]\s{0,2}|(?:is|was|as|for|это|как|от|ist|es|est|è|é|for the|на)\s{1,2})"
    r"(?:[^\W\d][\w'’.+-]{0,20}\s{1,2}|[(<\"«]){0,5}[(<\"«]?"
)
_USE = re.compile(
    r"\b(?:(?:enter|введите|введи|вводи|eingeben|ingresa)\s{1,3}(?:the )?(?:code\s|код\s)?"
    r"(?P<entered>[A-Z]{0,2}-?\d{4,8}|\d{3}[ -]\d{3})(?!\w)|"
    r"(?:use|используйте|usa)\s{1,3}(?:code\s)?(?P<used>[A-Z]{0,2}-?\d{4,8}|\d{3}[ -]\d{3}),?\s{1,3}"
    r"(?:to|as|for|when|чтобы|для|как|когда|um|para|per)\b)",
    re.I,
)
_CARD_CODE = re.compile(
    r"(?<!\w)(?:cv[vc]2?|cid|csc|цв[вкц]|security code|на обороте|с (?:обратной|оборотной) стороны|three digits|"
    r"три цифры(?: на обороте)?|(?:on )?the back(?: says| is)?|back(?: says|"
    r" is)?)(?!\w)[^\d\n]{0,16}?(?P<code>\d{3,4})(?![\d\w]|[.,:/]\d)|"
    r"(?<![\w.,:/-])(?P<ahead>\d{3,4})\s{1,2}(?:[-–—]|это|is|на)?\s{0,2}(?:on )?(?:the |мой )?(?:back|cv[vc]2?|"
    r"cid|цв[вкц]|"
    r"обороте)(?!\w)",
    re.I,
)
# What is typed on the keys of a door or an alarm, and ends with one of their signs: "4417#", "*2951#", "38к2471".
_KEYED = re.compile(r"(?<![\w#*.,:/])(?:G-\d{5,6}|\*?\d{3,8}[#*]|\d{1,4}[#*кКвВ]\d{3,6}[#*]?)(?![\w#*]|[.,]\d)")
_MEETING = re.compile(
    r"(?<!\w)(?:zoom|meeting|conference|webinar|teams|webex|dial[- ]?in|зум\w?|конференци\w|встреч\w)(?!\w)[^\n]{0,60}?"
    r"(?<!\w)(?:id|ид|код|айди|pin|number|номер)\W{1,3}(?P<value>\d{3}[ -]?\d{3,4}[ -]?\d{3,4})(?!\w)",
    re.I,
)
_GUARD = re.compile(r"(?<!\w)guard(?: code)?[\s:-]{1,3}([A-Z0-9]{5})(?!\w)", re.I)


def find_codes(text: str, found: Found) -> None:
    """Find one-time codes, PINs and codes of doors, after a word for them, before one or on the line below."""
    for match in _CARD_CODE.finditer(text):
        found.add(*match.span(match.lastgroup or 0), "secret")
    for match in _NUMBER_BEFORE.finditer(text):
        leads = _BETWEEN.fullmatch(match["between"]) is not None
        plain = len(match["code"]) >= 4 and not _YEAR.fullmatch(match["code"]) and match["between"].isspace()
        if (leads or plain) and not AMOUNT_AFTER.match(text, match.end("code")):
            found.add(*match.span("code"), "secret")
    for match in _USE.finditer(text):
        found.add(*match.span(match.lastgroup or 0), "secret")
    found.add_all(_TOLD, "secret", "value", is_one=lambda match: not match["value"].endswith("00"))
    found.add_all(_KEYED, "secret")
    found.add_all(_MEETING, "secret", "value")
    found.add_all(_GUARD, "secret", 1)
    found.add_all(_BEFORE_LOCK, "secret", "value")
    for cue in CODE_CUE.finditer(text):
        if _NO_CODE.search(text, max(0, cue.start() - 24), cue.start()) or _NO_CODE_AFTER.match(text, cue.end()):
            continue
        value = _value_after(text, cue.end(), _VALUE)
        if value is not None and _MONEY_BEFORE.search(text, max(0, value.start() - 12), value.start()):
            value = _value_after(text, value.end(), _VALUE)
            if value is not None:
                found.add(value.start(), value.end(), "secret")
            continue
        if value is not None and _leads_to(text[cue.end() : value.start()], value, text):
            found.add(value.start(), value.end(), "secret")
    for lock in LOCK_CUE.finditer(text):
        stop = _line_end(text, lock.end())
        for value in _LOCK_VALUE.finditer(text, lock.end(), stop):
            between = text[lock.end() : value.start()]
            if _opens(between, value, text) or _is_left_over(between, value, text):
                found.add(value.start(), value.end(), "secret")
                break


_SAYS_SO = re.compile(
    r"(?:[:=–—-]|\b(?:is|it['’]?s|это|код|code|type|press|набер\w+|жми|then|потом|left|right|влево|вправо))\W{0,3}\Z"
)


def _is_left_over(between: str, value: re.Match[str], text: str) -> bool:
    """Return whether a number further behind a lock can hardly be anything but its code."""
    if AMOUNT_AFTER.match(text, value.end()) or _COSTS.search(between) or "." in between:
        return False
    digits = sum(map(str.isdigit, value[0]))
    if not value[0].isdigit() or _SAYS_SO.search(between):
        return digits >= 4 or not value[0].isdigit()
    return digits >= 4 and not _YEAR.fullmatch(value[0]) and not value[0].endswith("00")


_COSTS = re.compile(
    r"\b(?:costs?|cost|paid|pay|price|worth|for|about|around|bought|sold|order|model|from|since|стоит|стоил\w*|за|от|"
    r"купил\w*|около|цена|заказ\w*|модель|с)\W{1,3}\Z",
    re.I,
)


def _line_end(text: str, at: int) -> int:
    stop = min(len(text), at + 60)
    line = text.find("\n", at, stop)
    return stop if line < 0 else line


def _value_after(text: str, at: int, pattern: re.Pattern[str]) -> re.Match[str] | None:
    return pattern.search(text, at, _line_end(text, at))


_LEADS = re.compile(
    r"(?:['’]s)?[\s:=—–>#№-]{1,5}|(?:['’]s)?(?:[^\S\n]{1,2}[^\s\d:=]{1,24}){0,6}(?:\s{0,2}[:=—–-]\s{0,3}|"
    r"\s{1,2}(?:is|was|это|ist|lautet|es|est|è|é|now)\s{1,3}:?\s{0,2})"
)
_LEADS_BY_WORDS = re.compile(
    r"(?:['’]s)?[,?!]?(?:[^\S\n]{1,2}[(\[\"«]?[^\s\d:=,;!?]{1,20}[,?)\]\"»]?){0,5}[^\w\n]{1,3}"
)
_ACTS = re.compile(r"\b(?:at|in|for|о|об|через|по|до|с|к|around|about|after|before)\s{1,2}\Z", re.I)


def _leads_to(between: str, value: re.Match[str], text: str) -> bool:
    """Return whether the words between "code" and a number say that it is the code."""
    digits = sum(map(str.isdigit, value[0]))
    if not digits or AMOUNT_AFTER.match(text, value.end()):
        return False
    direct = not between.strip()
    if direct:
        return digits >= 3
    if _LEADS.fullmatch(between):
        return True
    # "code for the door is" leads by "is"; without it, any words do before a number that is long enough.
    return (
        _LEADS_BY_WORDS.fullmatch(between) is not None
        and digits >= 4
        and not (_YEAR.fullmatch(value[0]) and text[value.end() :].strip(" .!"))
        and not _ACTS.search(between)
    ) or (_LEADS_BY_WORDS.fullmatch(between) is not None and digits == 3 and not text[value.end() :].strip(" .!#*"))


_LATCH = re.compile(r"(?:lock|safe|suitcase|case|замок|замка|чемодан\w?|кейс\w?|сейф\w?)\W{0,4}\Z", re.I)
_OPENS = re.compile(
    r"(?:['’]s)?(?:[\s:=–—-]{1,4}|\s(?:is|code|with|код\w{0,2}|не работает,|combo|number|номер|number \d{1,3})"
    r"(?:[\s:=–—-]{1,4}(?:is|with|код|это|набирай)?[\s:]{0,2})|\s(?:набери|нажми|press|dial|push|then)\s)"
)


def _opens(between: str, value: re.Match[str], text: str) -> bool:
    """Return whether a number right behind a lock opens it."""
    if AMOUNT_AFTER.match(text, value.end()) or not _OPENS.fullmatch(between):
        return False
    if len(value[0]) == 3:
        last = not text[value.end() : value.end() + 20].split("\n")[0].strip(" .!)")
        if last and not between.strip(" :=–—-") and _LATCH.search(text, max(0, value.start() - 24), value.start()):
            return True
        return "code" in between or "comb" in text[max(0, value.start() - 20) : value.start()].casefold()
    return not (_YEAR.fullmatch(value[0]) and between.isspace())
