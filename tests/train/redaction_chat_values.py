"""Values for the slots of `redaction_chats.py`, each in the ways people write it."""

import string
from collections.abc import Callable

from stdnum import luhn
from stdnum.ru import inn

from tests.train.redaction_set import Labelled, Maker

_FORMS = {
    # Digits stand for "#"; one of the ways is drawn.
    "phone": "(2##)_3##-#### 3##-4##-#### 4##.5##.#### 5##_6##_#### +1_7##_2##_#### +16##2######",
    "phone_gb": "07###_###### 07######### +44_7###_###### 020_7###_#### (0131)_4##_####",
    "phone_au": "04##_###_### 04######## +61_4##_###_###",
    "phone_abroad": "+49_151_2####### +33_6_##_##_##_## +380_67_###_##_## +995_5##_##_##_## +972-54-###-#### +39_3##_###_####",
    "phone_ru": "+7_9##_###-##-## 8_(9##)_###-##-## 89######### +79######### 8-9##-###-##-## 8_9##_###_##_##",
    "phone_land": "8_(495)_2##-##-## +7_812_3##-##-## 8499#######",
    "phone_short": "9##_###-##-## 9######### 9##-###-##-##",
    "phone_city": "2##-##-## 45-6#-7#",
    "phone_extension": "1## 2###",
    "code_cvv": "###",
    "code": "######",
    "code_four": "####",
    "code_five": "#####",
    "code_dashed": "###-###",
    "code_combination": "2#-4#-1# 5###",
    "code_gate": "#7## #7##* C4###",
    "code_door": "8### 12к4### 45#3###",
    "account": "8#######",
    "account_sort": "##-##-## 4#-##-##",
    "account_us": "4######### 7###########",
    "account_routing": "021000021",
    "account_russian": "40817810############ 40702810############",
    "id": "5######## C12###### AB#######",
    "id_russian": "45##_###### 45_##_###### 45##_№_######",
    "id_series": "45##",
    "id_number": "1#####",
    "id_travel": "75_####### 75#######",
    "id_driver": "D####### S############",
    "id_driver_ru": "77_##_###### 99##_######",
    "id_snils": "1##-###-###_## 1##_###_###_##",
    "id_nino": "AB######C JG_##_##_##_A",
    "ssn": "2##-4#-####",
    "plate": "AB12_CDE LK#7XYZ 7ABC###",
    "plate_ru": "А###ВС77 к###мм199 О_###_ОО_50",
    "link_meeting": "8##########",
    "_exp": "0#/2#",
    "_floor": "#",
    "_last": "####",
}


def chat_values(maker: Maker, locale: str) -> dict[str, Callable[[], str]]:
    """Return what fills each slot: what the other sets have, and written by the forms above."""
    chance, fake = maker.chance, maker.fakers[locale]

    def form(forms: str) -> str:
        drawn = chance.choice(forms.split(" "))
        return "".join(chance.choice("123456789") if char == "#" else char for char in drawn).replace("_", " ")

    def token(count: int, letters: str = string.ascii_letters + string.digits) -> str:
        return "".join(chance.choices(letters, k=count - 3)) + "a7Q" if count > 3 else "a7Q"

    def card(start: str, length: int) -> str:
        digits = start + "".join(chance.choices(string.digits, k=length - 1 - len(start)))
        return digits + luhn.calc_check_digit(digits)

    def masked() -> str:
        digits = card("4", 16)
        return chance.choice([f"{digits[:4]} **** **** {digits[12:]}", f"{digits[:4]} XXXX XXXX {digits[12:]}"])

    def tax() -> str:
        digits = "7" + "".join(chance.choices(string.digits, k=9))
        return digits + inn.calc_personal_check_digits(digits)

    def spelled(at: str, dot: str) -> str:
        return f"{fake.user_name()}{at}{chance.choice(['gmail', 'outlook', 'proton'])}{dot}com"

    capitals = string.ascii_uppercase + string.digits
    words = "ability zebra zone tunnel tragic orbit velvet window wreck umbrella swarm sunset ticket zoo acid".split()
    own = {name: (lambda forms=forms: form(forms)) for name, forms in _FORMS.items()}
    amex = card("37", 15)
    return {
        **maker.values(locale),
        **own,
        "email_spelled": lambda: spelled(*chance.choice([(" [at] ", " dot "), ("(at)", "."), (" at ", " dot ")])),
        "email_russian": lambda: spelled(" собака ", chance.choice([".", " точка "])),
        "card_amex": lambda: f"{amex[:4]} {amex[4:10]} {amex[10:]}",
        "card_masked": masked,
        "address_gb": maker.values("en_GB")["address"],
        "address_ru": maker.values("ru_RU")["address"],
        "address_russian_small": lambda: maker.values("ru_RU")["address"]().lower(),
        "address_small": lambda: form("1# 2# 3##") + chance.choice([" maple street", " old mill road", " elm ave"]),
        "address_abroad": lambda: (
            chance.choice(["Hauptstraße ", "Calle Mayor ", "Via Roma ", "Keizersgracht "]) + form("1#")
        ),
        "address_box": lambda: form("PO_Box_4### P.O._Box_7##"),
        "address_flat": lambda: form("2#"),
        "link_token": lambda: token(22),
        "code_guard": lambda: "".join(chance.choices("BCDFGHJKMNPQRTVWXY", k=3)) + form("##"),
        "seed": lambda: " ".join(chance.sample(words, 12)),
        "license": lambda: "-".join("".join(chance.choices(capitals, k=3)) + "K7" for _ in range(5)),
        "booking": lambda: "".join(chance.choices(string.ascii_uppercase, k=4)) + form("##"),
        "plate_vin": lambda: "WVWZZZ1KZ" + form("AW######"),
        "id_inn": tax,
        "_login": lambda: fake.first_name().lower() + form("##"),
    }


def filled(maker: Maker, templates: list[str], locale: str) -> list[Labelled]:
    """Return a message of each template."""
    values = chat_values(maker, locale)
    return [maker.fill(one.replace(r"\n", "\n"), values) for one in templates]
