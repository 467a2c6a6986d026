"""Finds passwords, codes, keys and tokens: by their own shape, or by the words around them."""

import re
from collections import Counter
from itertools import pairwise
from math import log2

from train.redaction.common_words import COMMON_WORDS
from train.redaction.spans import Found

_TOKENS = re.compile(
    r"(?<![\w-])(?:"
    r"sk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{16,200}|(?:sk|pk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,120}|"
    r"gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{16,64}|"
    r"(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,45}|ya29\.[A-Za-z0-9_-]{20,500}|"
    r"xox[abeoprs]-[A-Za-z0-9-]{10,250}|hf_[A-Za-z0-9]{20,60}|npm_[A-Za-z0-9]{30,60}|pypi-[A-Za-z0-9_-]{20,500}|"
    r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}|"
    r"eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{4,8000}(?:\.[A-Za-z0-9_-]{0,2000})?|"
    r"\d{8,10}:[A-Za-z0-9_-]{35}|dop_v1_[a-f0-9]{64}|EAA[A-Za-z0-9]{30,300}|"
    r"[MNO][A-Za-z\d_-]{23,27}\.[A-Za-z\d_-]{6}\.[A-Za-z\d_-]{27,40}"
    r")(?![\w-])"
)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_PRIVATE_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_SSH_KEY = re.compile(r"\b(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-nistp\d{3}) (AAAA[A-Za-z0-9+/=]{20,2000})")
_LONG = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_=-]{24,1024}(?![\w+/=-])")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.I)

PASSWORD_WORDS = frozenset(
    """password passwords passwort passwörter kennwort pass pwd passwd pw passcode passphrase contraseña contrasena
    clave senha passe пароль пароля паролем пароли пасс пасворд парольчик login credentials creds psk wpa wep key ключ
    парол passw logins""".split()
) - {"login", "logins", "key", "ключ"}
CODE_WORDS = frozenset(
    """code codes code's pin pincode pins otp totp 2fa cvv cvc cvv2 cvc2 tan puk mtan код коды кода коде кодом кодик
    пин пинкод пинкода codigo código códigos codice codici geheimzahl zahlencode bestätigungscode sicherheitscode
    zugangscode verifizierungscode домофон домофона домофоне passkey use enter verify verification введите введи
    подтверждения token токен tok secret секрет""".split()
)
SEED_WORDS = frozenset(
    "seed seedphrase mnemonic recovery сид сидка сид-фраза мнемоника мнемоническая фраза phrase".split()
)

_IS = (
    r"(?:\s{0,3}(?:[:=→]|-{1,2}>?|–|—)\s{0,3}|\s{1,3}(?:is|was|are|now|это|такой|вот|ist|lautet|es|est|è|é|e)"
    r"\s{0,2}:?\s{1,3})"
)
_FOR = (
    r"(?:\s{1,3}(?:for|to|of|on|от|для|на|к|с|из|у|до|в|für|vom|zum|zur|para|de|del|della|do|da|du|per|pour)"
    r"\s{1,3}[^\s:=]{1,30}"
    r"(?:\s{1,2}[^\s:=]{1,20}){0,2}?|\s?[(][^()\n]{1,30}[)])?"
)
_QUOTED = r"[\"'`«“„‘]([^\"'`»“”’\n]{3,80})[\"'`»”“’]"
_PASSWORD_WORD = (
    r"(?<!\w)(?:password|passwort|kennwort|pass(?:wd|code|phrase|word)?s?|pwd?|psk|contrase[ñn]a|clave|senha|"
    r"mot de passe|"
    r"пароль|пароля|паролем|пароли|пасс|парол|pw)(?!\w)"
)
_VALUE = rf"(?:{_QUOTED}|(\S{{3,80}}))"
# Said to be one before what only follows the word: in "password for the laptop is …" it is not "laptop".
_PASSWORDS = (
    (True, re.compile(rf"{_PASSWORD_WORD}{_FOR}{_IS}{_VALUE}", re.I)),
    (False, re.compile(rf"{_PASSWORD_WORD}\s{{1,3}}{_VALUE}", re.I)),
    (False, re.compile(rf"{_PASSWORD_WORD}{_FOR.removesuffix('?')}\s{{1,3}}{_VALUE}", re.I)),
)
_CODE_CUE = re.compile(
    r"(?<!\w)(?:(?:pin|пин|qr|tan|sms|смс)[- ]?)?(?:codes?|код(?:ы|а|е|ом|ик)?|c[oó]digos?|codic[ei]|pins?|pincode|"
    r"пин(?:код)?а?|otp|totp|2fa|cv[vc]2?|m?tan|puk|"
    r"geheimzahl|\w{3,20}code|домофон[ае]?|token|токен|secret|секрет|passkey)(?!\w)",
    re.I,
)
_CODE_VALUE = re.compile(
    r"(?<![\w.,:/-])(?:[A-Z]{1,3}-\d{4,8}|\d{3}[- ]\d{3}(?:[- ]\d{3})?|[#*]?\d{3,10}[#*]?|"
    r"(?=[A-Za-z0-9А-Яа-я-]{0,30}\d)[A-Za-z0-9А-Яа-я]{4,64}(?:-[A-Za-z0-9]{2,12}){0,7})(?![\w%$€£₽]|[.,:/]\d)"
)
_NO_CODE = re.compile(
    r"(?:\b(?:zip|postal|post|area|country|dial(?:l?ing)?|promo|discount|coupon|voucher|error|exit|status|response|"
    r"http|return|source|dress|bar|"
    r"qr|morse|color|colour|hex|vs|building|building's|tax|swift|iata|sort|city|state|no|с?ошибк\w+|штрих|промо|"
    r"почтов\w+|телефонн\w+|"
    r"исходн\w+|машинн\w+|penal|civil|legacy|same|airport|currency|language|machine|byte|unicode|ascii|old|clean|"
    r"genetic|"
    r"uncle|python|java|javascript|c\+\+|write|writing|wrote|lines of|of)[\s-]{1,2}|промо|штрих)\Z",
    re.I,
)
_NO_CODE_AFTER = re.compile(
    r"\s{0,2}(?:ошибк\w+|города|региона|страны|error|review|base|freeze|camp|lines?|of conduct|status|товара|оквэд|"
    r"окпо|тн вэд)",
    re.I,
)
_CODE_BEFORE = re.compile(
    r"(?<![\w.,:/-])(?P<code>[A-Z]{1,2}-\d{4,8}|\d{3}[- ]\d{3}|\d{4,8})\s{0,2}"
    r"(?:[-–—:=]\s{0,2}|(?:is|was|as|for|это|как|от|ist|es|est|è|é)\s{1,2})"
    r"(?:(?:[^\W\d]{1,20})\s){0,4}?(?:(?:verification |security |login |access |confirmation |one[- ]time |"
    r"whatsapp )?(?:code|pin|otp|password)|"
    r"код|пароль|пин|c[oó]digo|codice|\w{0,20}code|senha|contraseña)(?!\w)",
    re.I,
)
_USE = re.compile(
    r"\b(?:(?:enter|введите|введи|eingeben|ingresa)\s{1,3}(?:code\s)?(?P<entered>[A-Z]{0,2}-?\d{4,8})(?!\w)|"
    r"(?:use|используйте|usa)\s{1,3}(?:code\s)?(?P<used>[A-Z]{0,2}-?\d{4,8}),?\s{1,3}(?:to|as|for|when|чтобы|для|"
    r"как|когда|um|para|per)\b)",
    re.I,
)
_SEED = re.compile(
    r"\b(?:seed(?: ?phrase| ?words)?|recovery (?:phrase|words|seed)|mnemonic(?: phrase)?|secret phrase|"
    r"сид[- ]?фраз[аыу]|сидк[аиу]|"
    r"мнемоник[аиу]|фраза восстановления|semilla|wiederherstellungsphrase)(?!\w)[^\n:]{0,30}?[:=\s-]\s{0,3}"
    r"((?:\d{1,2}[.)]?\s?)?[a-z]{3,8}(?:[\s,]{1,3}(?:\d{1,2}[.)]?\s?)?[a-z]{3,8}){11,23})(?![a-z])",
    re.I,
)
_ENDS = ".,;:!?)]}»\"'`…"


def find_tokens(text: str, found: Found) -> None:
    """Find what is a secret by its shape: private keys, API keys, JSON web tokens, long random hex and base64."""
    for begin in _PRIVATE_KEY.finditer(text):
        end = _PRIVATE_KEY_END.search(text, begin.end(), begin.end() + 20_000)
        stop = end.start() if end else min(len(text), begin.end() + 8_000)
        found.add(begin.end(), stop, "secret")
    for match in _SSH_KEY.finditer(text):
        found.add(match.start(1), match.end(1), "secret")
    for match in _TOKENS.finditer(text):
        found.add(match.start(), match.end(), "secret")
    for match in _LONG.finditer(text):
        if is_random(match[0]):
            found.add(match.start(), match.end(), "secret")


def is_random(value: str) -> bool:
    """Return whether a long run of letters and digits was drawn and not written: hex, or of every sort and even."""
    if _UUID.fullmatch(value):
        return True
    digits = sum(map(str.isdigit, value))
    if digits == len(value) or not digits:
        # Without any digit: random letters of both cases in a run, which words joined by capitals are not.
        changes = sum(a.isupper() != b.isupper() for a, b in pairwise(value) if a.isalpha() and b.isalpha())
        return not digits and len(value) >= 32 and changes > len(value) * 0.35
    if re.fullmatch(r"[0-9a-f]{32,}", value, re.I):
        return True
    words = [one for one in re.split(r"[-_/+=]", value) if one]
    if len(words) > 2 and max(map(len, words)) < 12:
        return False
    entropy = -sum(n / len(value) * log2(n / len(value)) for n in Counter(value).values())
    upper = any(map(str.isupper, value))
    lower = any(map(str.islower, value))
    return entropy > 3.7 and digits >= 2 and ((upper and lower) or digits >= len(value) // 5)


def find_passwords(text: str, found: Found) -> None:
    """Find what follows a word for a password, in seven languages."""
    for told, pattern in _PASSWORDS:
        for match in pattern.finditer(text):
            if match[1] is not None:
                found.add(*match.span(1), "secret")
                continue
            start, end = match.span(2)
            while end > start + 3 and text[end - 1] in _ENDS:
                end -= 1
            if _is_password(text[start:end], told, text, end):
                found.add(start, end, "secret")


def _is_password(value: str, told: bool, text: str, end: int) -> bool:
    """Return whether a word is a password: told so by "is" or a colon, or looking like nothing else."""
    word = value.casefold().strip(_ENDS + "(«\"'")
    digits = sum(map(str.isdigit, word))
    if len(word) < 3:
        return False
    mixed = any(map(str.isupper, value[1:])) and any(map(str.islower, value))
    signs = any(not (char.isalnum() or char in "'’-") for char in value.rstrip(_ENDS))
    if digits and (digits < len(word) or digits >= 4):
        return told or len(word) >= 4
    if not told:
        return False
    if mixed or signs:
        return True
    last = not text[end:].split("\n", 1)[0].strip(_ENDS + " ")
    return last and len(word) >= 5 and word not in COMMON_WORDS


def find_codes(text: str, found: Found) -> None:
    """Find one-time codes, PINs and codes of doors, after a word for them or before one."""
    for match in _CODE_BEFORE.finditer(text):
        found.add(*match.span("code"), "secret")
    for match in _USE.finditer(text):
        found.add(*match.span(match.lastgroup or 0), "secret")
    for cue in _CODE_CUE.finditer(text):
        if _NO_CODE.search(text, max(0, cue.start() - 24), cue.start()) or _NO_CODE_AFTER.match(text, cue.end()):
            continue
        stop = min(len(text), cue.end() + 60)
        line = text.find("\n", cue.end(), stop)
        gap = text[cue.end() : stop if line < 0 else line]
        value = _CODE_VALUE.search(text, cue.end(), cue.end() + len(gap))
        if value is None or not _leads_to(text[cue.end() : value.start()], value[0]):
            continue
        found.add(value.start(), value.end(), "secret")


_LEADS = re.compile(
    r"[\s:=—–>#№-]{1,5}|(?:[^\S\n]{1,2}[^\s\d:=]{1,24}){0,6}(?:\s{0,2}[:=—–-]\s{0,3}|\s{1,2}(?:is|was|это|ist|"
    r"lautet|es|est|è|é|now)\s{1,3}:?\s{0,2})"
)
_LEADS_BY_WORDS = re.compile(
    r"(?:\s{1,2}(?:подтверждения|из|от|для|на|в|к|смс|sms|for|to|from|the|your|доступа|входа|безопасности|двери|"
    r"подъезда|домофона|door|gate|card|карты)){0,5}[^\w\n]{1,3}"
)


def _leads_to(between: str, value: str) -> bool:
    """Return whether the words between "code" and a number say that it is the code."""
    if not any(map(str.isdigit, value)):
        return False
    if not between.strip() and sum(map(str.isdigit, value)) < 3:
        return False
    return bool(_LEADS.fullmatch(between) or _LEADS_BY_WORDS.fullmatch(between))


def find_seeds(text: str, found: Found) -> None:
    """Find the words that restore a wallet, after a word for them."""
    for match in _SEED.finditer(text):
        found.add(match.start(1), match.end(1), "secret")
