"""Puts another address in the place of one: the words that say what its parts are stay."""

import re

from train.redaction.addresses import STATES, SUFFIXES
from train.redaction.addresses_european import GERMAN_ENDS
from train.redaction.key import Draws, RedactionKey
from train.redaction.spans import compact
from train.redaction.stand_ins import other_character, written_like

# Words that say what a part of an address is: they stay.
_STAYS = frozenset(
    [one.casefold() for one in (*SUFFIXES, *STATES.split())]
    + """ул улица улице улицу улицы пр проспект проспекта проспекте просп кт т пер переулок переулка переулке ш шоссе
    наб набережная набережной бульвар
    бульвара б р бул бульв пл площадь площади аллея аллее алл туп тупик мкр м н мкрн микрорайон линия линии тракт
    спуск ст д дом доме вл влад к корп корпус стр строение с кв
    квартира квартире оф офис под подъезд подъезде эт этаж ком комната пом домофон г город п пос поселок посёлок пгт
    село деревня станица клх й я ая ой го ый на проезд проезда проезде
    straße strasse str gasse weg platz allee ring damm ufer chaussee steig stieg markt graben park hof tor pfad
    brücke höhe wall zeile
    am an der den im in auf dem unter zum zur alte alter alten neue neuer neuen postfach
    rue avenue av avda ave avenida boulevard bd blvd place chemin impasse allée allées quai route cours passage
    faubourg calle cl plaza pza
    paseo camino carrera pasaje ronda travesía callejón glorieta cuesta vial urbanización alameda acceso via viale
    piazza za corso so vicolo
    largo strada piazzale contrada borgo rotonda canale stretto incrocio rua travessa praça estrada rodovia vila
    viela praceta beco ladeira loteamento condomínio le
    de del della delle dello dei degli di da das do dos du des la las les los el l d dell san santa saint sainte i y
    e bis ter quater nº n no
    apt apartment suite ste unit flat floor fl room rm bldg box po studio apto appartamento piso puerta esc étage int
    piano andar bloco
    st nd rd th n s e w ne nw se sw north south east west bp apartado numero número""".split()
)
_PARTS = re.compile(r"[^\W\d_]+|\d+")


def address_stand_in(key: RedactionKey, value: str) -> str:
    """Return another address of the same shape: one street has one stand-in everywhere, numbers go by the whole."""
    known = compact(value)

    def make(draws: Draws) -> str:
        return compact("".join(_other_part(part, key, draws) for part in _PARTS.findall(value)))

    return written_like(key.stand_in("address", known, make), value)


def _other_part(part: str, key: RedactionKey, draws: Draws) -> str:
    if part.isdigit():
        # No number begins with a zero that did not.
        first = part[0] if part[0] == "0" else str(1 + draws.below(9))
        return first + "".join(other_character(char, draws) for char in part[1:])
    word = part.casefold()
    if word in _STAYS:
        return part
    end = next((one for one in GERMAN_ENDS if word.endswith(one)), "")
    own = key.draws("street", word)
    return "".join(other_character(char, own) for char in part[: len(part) - len(end)]) + part[len(part) - len(end) :]
