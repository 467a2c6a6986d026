"""Finds passwords: after a word for one, before one, on the next line, and behind the login they belong to.

A word for a password makes whatever cannot be a word of a language a password ("hunter2", "Qw!x9"); a plain word is
taken for one only where it is said to be: after a colon, or after "is" at the end of a line.
"""

import re
from itertools import pairwise

from train.redaction.common_words import COMMON_WORDS
from train.redaction.spans import Found

PASSWORD_WORDS = frozenset(
    """password passwords passwort passwörter kennwort pass pwd passwd pw passcode passphrase passkey passw passwrd
    psswd pword psw contraseña contrasena clave senha passe пароль пароля паролем пароли паролю паролей пасс пас пасворд
    пассворд парольчик парол парль пороль login logins log user username creds credentials psk wpa wep wifi fi вайфай
    вайфая вайфаю фай фая логин логином логина лог учетка учётка учетки учётки учетку учётку доступ доступы доступов
    аккаунт аккаунта аккаунту акк акка кодовое входа details вафля вафли вафлю вафле laptop router netflix spotify hulu
    steam disney ноут роутер нетфликс стим госуслуги mysql curl key apikey secret token auth credential admin root
    guest админ рут рутер""".split()
)
_FOR = (
    r"(?:\s{1,3}(?:for|to|of|on|от|для|на|к|с|из|у|до|в|für|vom|zum|zur|para|de|del|della|do|da|du|per|pour)"
    r"\s{1,3}[^\s:=]{1,30}"
    r"(?:\s{1,2}[^\s:=]{1,20}){0,2}?|\s?[(][^()\n]{1,30}[)])"
)
_SAYS = r"is|was|are|now|это|такой|вот|ist|lautet|es|est|è|é|e"
_IS = (
    r"(?:[\"']?[^\S\n]{0,3}(?:[:=→]|[-=]{1,2}>)[^\S\n]{0,3}|[^\S\n]{1,3}(?:--?|–|—)[^\S\n]{1,3}|"
    rf"(?:['’]s(?:[^\S\n]{1, 3}(?:still|now|just|the same))?|[^\S\n]{{1,3}}(?:{_SAYS}|такой же|still|also|"
    rf"changed to|set to))[^\S\n]{{0,2}}:?[^\S\n]{{1,3}})"
)
_QUOTED = r"[\"'`«“„‘]([^\"'`»“”’\n]{3,80})[\"'`»”“’]"
_WORD = (
    r"(?<![^\W_])(?:password|passwort|kennwort|pass(?:wd|code|phrase|word|w|wrd)?s?|psswd|pword|psw|pwd?|p/w|psk|"
    r"contrase[ñn]a|clave|senha|mot de passe|кодовое слово|п[ао]рол(?:ь|я|ем|и|ю|ей|ьчик)?|парль|пасс?(?:ворд)?)"
    r"(?!\w)"
)
_VALUE = rf"(?:{_QUOTED}|(\S{{3,80}}))"
# Said to be one before what only follows the word: in "password for the laptop is …" it is not "laptop".
_PASSWORDS = (
    (True, re.compile(rf"{_WORD}{_FOR}?{_IS}{_VALUE}", re.I)),
    (True, re.compile(rf"{_WORD}\s?[-–—=]\s?{_VALUE}", re.I)),
    (
        True,
        re.compile(
            rf"(?:chang|set|reset|смени|помен|постав)\w{{0,4}}\s(?:\w{{1,12}}\s){{0,2}}{_WORD}\s(?:to|на)\s{_VALUE}",
            re.I,
        ),
    ),
    (False, re.compile(rf"{_WORD},?\s{{1,3}}{_VALUE}", re.I)),
    (False, re.compile(rf"{_WORD}{_FOR}\s{{1,3}}{_VALUE}", re.I)),
)
PASSWORD_CUE = re.compile(_WORD, re.I)
NETWORK_CUE = re.compile(
    r"(?<![^\W_])(?:wi-?fi|вай[- ]?фа[йяю]|вафл[яиюе]|wlan|laptop|router|netflix|spotify|hulu|"
    r"steam|disney\+?|"
    r"ноут\w{0,2}|роутер\w{0,2}|нетфликс\w?|стим\w?|госуслуг\w{0,3})(?!\w)",
    re.I,
)
_LOGIN_WORD = (
    r"(?<![^\W_])(?:log in as|log(?:in|ins)?|"
    r"user(?:name)?|u/n|network|ssid|сеть|account|acct|id|nick|логин(?:ом|а)?|лог|юзер|"
    r"ник|пользователь)"
    r"(?!\w)"
)
_LOGIN = re.compile(rf"{_LOGIN_WORD}(?:{_IS}|\s{{1,3}})(?:with\s)?(\S{{2,60}})", re.I)
# "login: anna/xyz", "anna:xyz", "доступы: anna / xyz": what belongs to a login stands behind it.
_PAIR = re.compile(
    r"(?<![^\W_])(?:log in with|данные(?: для входа)?|(?:login )?details|creds?|credentials?|log(?:in|"
    r"ins)?(?:[/+ ](?:pass|pw|password))?|access|user|account|"
    r"curl -u|-u|default|уч[её]тк[аиу]|доступы?|акк(?:аунт)?|логин(?:[/ +]парол[ья])?)(?!\w)"
    r"(?:\s(?:are|is|это|вот|для|от|with))?[^\S\n]{0,2}[:=–—-]?[^\S\n]{0,3}"
    r"(?P<login>[^\s:/|]{2,40})(?P<sign>\s?[:/|]\s?|\s(?:and|и)\s|\s)(?P<password>\S{4,60})",
    re.I,
)
# Behind the logins that everybody has: "admin / …", "root:…", "рутер admin …".
_USUAL_LOGIN = re.compile(
    r"(?<![^\W_])(?:admin|root|guest|administrator|админ|рут|гость|test|demo)\s{0,2}(?:[:/|,=–—-]\s{0,2})?"
    r"(?P<password>[^\s:/|,]{5,40})(?=[\s,;)]|\Z)",
    re.I,
)
_SHORT_PAIR = re.compile(r"(?<!\w)u(?:ser)?\s?:\s?\S{2,40}\s{1,3}p(?:ass|w)?\s?:\s?(\S{4,60})", re.I)
_MAIL_PAIR = re.compile(
    r"(?<!\S)\S{1,64}@[\w-]{1,40}(?:\.[\w-]{1,20}){1,4}(?P<sign>:|\s?[/|;,]\s?|\s[-–—]\s|\s|\n)"
    r"(?P<password>\S{5,60})(?=\s|\Z)"
)
# As programs and their settings have them: "secret_key = …", "X-Api-Key: …".
_ASSIGNED = re.compile(
    r"(?<![^\W_-])(?:api[_-]?key|key|secret|token|auth|credentials?)[\w-]{0,12}[\"']?\s{0,2}(?:=>?|:)\s{0,2}[\"']?"
    r"(?P<value>[^\s\"',;]{8,200})",
    re.I,
)
_OPTION = re.compile(r"(?<!\S)(?:mysql|mysqldump|psql|mariadb)\s[^\n]{0,60}?\s-p(\S{4,60})")
_FOR_WHICH = re.compile(
    r"(?:\b(?:it'?s|to|use|try|enter|its|it is|type|вводи|введи|попробуй|это)\s{1,2})(\S{4,60})\s{1,2}(?:is |это |"
    r"(?:for|as|от|для|как)\s)"
    r"(?:the |my |our |a |new |temporary |temp |мой |новый ){0,2}(?:wi-?fi|pass\w*|pw|парол\w+|вай-?фа\w+|laptop|zip|"
    r"account|netflix)",
    re.I,
)
_ENDS = ".,;:!?)]}»\"'`…"
_TOKEN = re.compile(r"\S+")
_ORDINARY = re.compile(
    r"(?:user(?:name)?|login|host|port|db|dbname|name|url)=\S*|"
    # Amounts, times, versions, sizes, ordinals, names of files, of products and of series.
    r"[$€£₽~+<>-]?\d+(?:[.,:/xх×-]\d+)*[^\W\d]{0,4}[+.]?|v?\d+(?:\.\d+)+|"
    r"(?:iphone|ipad|windows|win|galaxy|ps|xbox|covid|ios|android|macos|mp|web|top|level|room|user|day|week|step|"
    r"part|page|"
    r"айфон|\w{1,3})-?\d{1,3}|"
    r"s\d\de\d\d|[\w.-]+\.(?:jpe?g|png|pdf|docx?|xlsx?|zip|rar|7z|mp[34]|py|txt|html?|com|ru|org|net|io)|"
    r"[\w.-]{2,20}[-_]link[-_]?\w{0,8}|wpa\d?\S{0,8}|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|#\w+|"
    r"[^\W\d_]{2,20}(?:/[^\W\d_]{2,20})+|"
    r"(?:[^\W\d_]+[-'’/.])*[^\W\d_]+",
    re.I,
)
# What is said of a password after a colon and is none.
_STATES = frozenset(
    """wrong incorrect invalid required reset same none unknown expired forgotten changed correct missing please empty
    weak strong hidden protected optional default below above here yes no nope idk sorry send sent ask неверный
    неправильный тот такой забыл забыла сменил сменила сменили знаешь скинь скажи какой пришли дай есть нет прежний
    старый новый другой стандартный обычный простой сложный верный не подходит подошел подошёл вспомнил жду потом
    завтра сброшен слабый falsch ungültig vergessen""".split()
)
_SERVICES = frozenset(
    """wifi wi-fi wlan router vpn ssh ftp nas icloud apple google gmail yahoo outlook hotmail yandex mail netflix
    spotify
    hulu disney disney+ hbo prime amazon ebay paypal steam xbox psn epic github gitlab slack zoom teams discord telegram
    whatsapp instagram insta facebook twitter tiktok vk linkedin notion figma dropbox windows linux ubuntu mac iphone
    ipad android laptop email manager managers login admin root user guest reset changed""".split()
)


def find_passwords(text: str, found: Found) -> None:
    """Find what follows a word for a password, in seven languages, and what cannot be a word on the same line."""
    for told, pattern in _PASSWORDS:
        for match in pattern.finditer(text):
            if match[1] is not None:
                found.add(*match.span(1), "secret")
                continue
            start, end = trimmed(text, *match.span(2))
            if _is_password(text, start, end, told, match[0]):
                found.add(start, end, "secret")
    found.add_all(_ASSIGNED, "secret", "value", is_one=lambda match: cannot_be_a_word(match["value"]))
    for pattern in (_OPTION, _FOR_WHICH):
        for match in pattern.finditer(text):
            start, end = trimmed(text, *match.span(1))
            if pattern is _OPTION or cannot_be_a_word(text[start:end]) or is_rare(text[start:end]):
                found.add(start, end, "secret")
    _find_pairs(text, found)
    _find_on_lines(text, found)


def find_behind_emails(text: str, found: Found) -> None:
    """Find a password behind an e-mail address: "me@example.org:hunter2", "me@example.org / hunter2"."""
    for match in _MAIL_PAIR.finditer(text):
        start, end = trimmed(text, *match.span("password"))
        value = text[start:end]
        if cannot_be_a_word(value) or (match["sign"].strip() in (":", "/") and is_rare(value)):
            found.add(start, end, "secret")


def _find_pairs(text: str, found: Found) -> None:
    found.add_all(
        _USUAL_LOGIN,
        "secret",
        "password",
        is_one=lambda match: cannot_be_a_word(match["password"]) or _changes_case(match["password"]),
    )
    for match in _SHORT_PAIR.finditer(text):
        found.add(*trimmed(text, *match.span(1)), "secret")
    for match in _PAIR.finditer(text):
        start, end = trimmed(text, *match.span("password"))
        value = text[start:end]
        joined = match["sign"].strip() in (":", "/", "|")
        if cannot_be_a_word(value) or (joined and value.isdigit() and len(value) >= 4) or (joined and is_rare(value)):
            found.add(start, end, "secret")


def _find_on_lines(text: str, found: Found) -> None:
    """Find what cannot be a word beside a word for passwords."""
    at = 0
    for line in text.split("\n"):
        end = at + len(line)
        cue = PASSWORD_CUE.search(line)
        network = NETWORK_CUE.search(line)
        if cue or network:
            logins = {match.start(1) for match in _LOGIN.finditer(line)}
            first = True
            for token in _TOKEN.finditer(line):
                # Of a network, its name comes first and the password behind a sign.
                if cue is None and network and not _behind_a_network(line, token.start(), network):
                    continue
                start, stop = trimmed(line, *token.span())
                value = line[start:stop]
                # Latin among Russian words, behind what a password is for.
                russian = (network is not None and network[0][0] > "z" and network.end() <= start) or (
                    cue is not None
                    and cue[0][0] > "z"
                    and cue.end() < start
                    and not found.taken(at + cue.end(), at + start)
                    and not line[stop:].strip(_ENDS + " ")
                )
                if start in logins or not (cannot_be_a_word(value) or (russian and is_rare(value))):
                    continue
                if line[stop : stop + 2].strip()[:1] in ("/", "|") and first:
                    first = False
                    continue
                found.add(at + start, at + stop, "secret")
        at = end + 1


_IS_WIFI = re.compile(r"wi-?fi|вай|вафл|wlan", re.I)
_NETWORK_SIGN = re.compile(
    r"[^\n]{0,30}(?:\s[-–—/|]\s|:\s?|=\s?)(?:the |and )?(?:key|ключ|is)?\s{0,2}|"
    r"\s{1,2}(?:(?:\w{2,12}\s{1,2}){0,2}(?:is|key|это)\s{1,2}|(?:[а-яё]{1,10}\s){1,3})?"
)


def _behind_a_network(line: str, at: int, network: re.Match[str]) -> bool:
    if at < network.end():
        return bool(re.match(r"\S+ (?:is |это |for |от |для )?(?:the |our )?\Z", line[at : network.start()]))
    between = line[network.end() : at]
    if len(line) - at >= 8 and _IS_WIFI.match(network[0]):
        # Nothing that is no word is said of a wireless network but its name and its key.
        return True
    return _NETWORK_SIGN.fullmatch(between) is not None or "key" in between or "ключ" in between


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a span without the marks around it; those inside belong to it, and so does a last "!" after a digit."""
    while start < end - 3 and text[start] in "([{«\"'`":
        start += 1
    while end > start + 3 and text[end - 1] in _ENDS:
        if text[end - 1] == "!" and text[end - 2].isdigit():
            break
        end -= 1
    return start, end


def cannot_be_a_word(value: str) -> bool:
    """Return whether a run of characters is nothing that people write in a sentence: letters with digits or signs."""
    if not 5 <= len(value) <= 64 or _ORDINARY.fullmatch(value) or "://" in value or value.endswith((":", "=")):
        return _changes_case(value)
    digits = sum(map(str.isdigit, value))
    letters = sum(map(str.isalpha, value))
    signs = any(char in "$!@#%^&*_+=?~|" for char in value.rstrip("+"))
    return letters >= 2 and ((digits >= 1 and (letters >= 3 or digits >= 3)) or signs)


def _changes_case(value: str) -> bool:
    """Return whether letters alone go up and down as in no name: "kQzTbWxa"."""
    if not 7 <= len(value) <= 64 or not value.isalpha() or not value.isascii():
        return False
    ups = sum(a.islower() and b.isupper() for a, b in pairwise(value))
    return ups >= 2 and sum(map(str.isupper, value)) * 2 <= len(value) + 2 and ups * 4 >= len(value) - 1


def is_rare(value: str) -> bool:
    """Return whether a plain word is none of a language, so far as is known."""
    word = value.casefold().strip(_ENDS)
    return word.isascii() and word.isalnum() and len(word) >= 6 and word not in COMMON_WORDS | _SERVICES | _STATES


def _is_password(text: str, start: int, end: int, told: bool, match: str) -> bool:
    """Return whether a word is a password: told so by "is" or a colon, or looking like nothing else."""
    value = text[start:end]
    word = value.casefold().strip(_ENDS + "(«\"'")
    digits = sum(map(str.isdigit, word))
    if len(word) < 3 or "://" in value:
        return False
    if not told and _ORDINARY.fullmatch(value) and not (digits >= 4 and value.isdigit()) and digits:
        return False
    mixed = any(map(str.isupper, value[1:])) and any(map(str.islower, value))
    signs = any(not (char.isalnum() or char in "'’-") for char in value.rstrip(_ENDS))
    if digits and (digits < len(word) or digits >= 4):
        return told or len(word) >= 4
    rest = text[end : end + 80].split("\n", 1)[0].lstrip(" ")
    last = not rest.strip(_ENDS + " ") or rest[0] in "(,;)\"'"
    if not told:
        # A Latin word after a Russian one for passwords, or a long one that is in no dictionary, ends the line.
        foreign = any("а" <= char <= "я" for char in match.casefold()[:4])
        return last and (foreign or len(word) >= 8) and is_rare(value) and "\n" not in match
    if mixed or (signs and not _ORDINARY.fullmatch(value)):
        return True
    colon = ":" in match[: -len(value)][-4:] or "=" in match[: -len(value)][-4:]
    if colon and is_rare(value):
        return True
    if colon and last and len(word) >= 4:
        return word not in _STATES
    return last and len(word) >= 5 and word not in COMMON_WORDS and word not in _STATES
