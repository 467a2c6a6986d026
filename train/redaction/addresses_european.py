"""Finds addresses of continental Europe: German, Romance, Slavic, Scandinavian, Hungarian, Turkish ones."""

import re

from train.redaction.spans import Found

_CITY = r"(?:[A-ZÀ-Þ][\w'’.-]{1,25}(?: [A-ZÀ-Þ][\w'’.-]{1,25}){0,2})"
GERMAN_ENDS = tuple(
    """straße strasse str gasse weg platz allee ring damm ufer chaussee steig stieg markt graben park hof pfad brücke
    wall""".split()
)
_PLACES = re.compile(
    # Dutch, Swedish, Danish, Norwegian, Finnish, Hungarian, Turkish, Polish, Czech.
    r"(?<!\w)[A-ZÀ-Ž][\w-]{2,30}(?:gracht|straat|schans|steeg|markt|laan|plein|kade|singel|dijk|gatan|vägen|gränd|gade|vej|vegen|veien|"
    r"gata|katu|kuja)"
    r"\s\d{1,4}(?:[- ]?[A-Za-z]|[-/]\d{1,4}(?:hs|[A-Za-z])?)?(?![\w%€]|[.:,]\d)|"
    r"(?<!\w)(?:(?:[Uu]l|[Aa]l|[Oo]s|[Pp]l|[Nn]ám|[Vv]ul|[Bb]ul|[Pp]rosp|[Ss]tr|[Pp]er|[Nn]ab|[Pp]r)\.|"
    r"(?:[Uu]l|[Vv]ul|[Uu]litsa|[Pp]rospekt|[Uu]lica)(?= [A-ZÀ-Ž]))\s?(?:[A-ZÀ-Ž0-9][\w.-]{0,24}\s){1,3}"
    r"\d{1,4}[A-Za-z]?(?:\s?(?:/|"
    r"m\.?)\s?\d{1,4})?(?![\w%]|[.:,]\d)|"
    r"(?<!\w)(?:[A-ZÀ-Žİ][\w.]{1,24}\s){1,3}(?:Sokak|Sokağı|Sk\.|Caddesi|Cad\.|Cd\.|utca|út|"
    r"tér)\s(?:[Nn]o:?\s?)?\d{1,4}(?:/\d{1,4})?(?!\w)"
)

# Japan: the block and the house before the quarter, "2-14-7 Nishi-Azabu, Minato-ku, Tokyo 106-0031".
_JAPANESE = re.compile(
    r"(?<![\w-])\d{1,2}(?:-chome)?(?:-\d{1,3}){1,2},?\s[A-Z][a-z]+(?:-[A-Za-z]+)*"
    r"(?P<more>(?:,?\s[A-Z][a-z]+(?:-[a-z]+)?){0,3})(?:\s\d{3}-\d{4})?(?!\w)"
)
_JAPANESE_PLACE = re.compile(
    r"-(?:ku|shi|cho|machi|gun|ken|to|fu)\b|Tokyo|Kyoto|Osaka|Nagoya|Yokohama|Sapporo|Kobe|\d{3}-\d{4}"
)

_GERMAN = re.compile(
    r"(?<!\w)(?:(?:[A-ZÄÖÜ][\wäöüß.-]{0,24}[ -]){0,3}?(?:[A-ZÄÖÜ][\wäöüß-]{0,30}|[a-zäöüß-]{2,30}(?=stra(?:ß|ss)e|"
    r"str\.))?(?:[Ss]tra(?:ß|ss)e|[Ss]tr\.|[Gg]asse|[Ww]eg|[Pp]latz|[Aa]llee|[Rr]ing|[Dd]amm|[Uu]fer|[Cc]haussee|"
    r"[Ss]teig|[Ss]tieg|[Mm]arkt|[Gg]raben|[Pp]ark|[Hh]of|[Tt]or|[Pp]fad|[Bb]rücke|[Hh]öhe|[Ww]all|[Zz]eile)|"
    r"(?:Am|An der|An den|Im|In der|In den|Auf der|Auf dem|Unter den|Zum|Zur|Alte[rn]?|"
    r"Neue[rn]?) (?:[A-ZÄÖÜ][\wäöüß-]{1,24})(?: [A-ZÄÖÜ][\wäöüß-]{1,24})?)"
    r",?\s{1,2}\d{1,4}(?:\s?[a-h](?!\w))?(?:\s?[/-]\s?\d{1,4})?(?![\w€%]|[.:,]\d| (?:Uhr|Euro|Minuten|Min|Stunden|"
    r"Jahre|Tage|km))"
)
_GERMAN_TAIL = re.compile(rf",?\s{{1,2}}(?:[AD]-)?\d{{4,5}}\s{{1,2}}{_CITY}")

_ROMANCE_KINDS = """c. carrer passeig plaça avinguda rambla
    rue avenue av ave avda avenida boulevard bd blvd place chemin impasse allée allées
    quai route
    cours
    passage faubourg square sentier ruelle venelle promenade rond-point calle c/ cl plaza pza paseo camino carrera
    pasaje ronda travesía callejón glorieta cuesta vial urbanización alameda acceso rambla pasadizo cañada vía plazuela
    callejuela sendero costanilla corredera barrio polígono via viale v.le piazza p.za corso c.so vicolo largo strada
    piazzale contrada borgo rotonda canale stretto incrocio salita viottolo lungomare lungotevere rua r travessa praça
    estrada rodovia vila viela praceta beco ladeira loteamento condomínio azinhaga calçada"""
_ROMANCE_NUMBER = r",?\s{0,2}(?:[nN][ºo°.]{1,2}\s?|numero\s|número\s)?\d{1,4}(?:\s?[A-Za-z](?!\w)|/\d{1,3}| bis| ter)?"
_ROMANCE_AHEAD = r"(?<!\w)(?:(?:n[ºo°.]{0,2}\s?)?\d{1,4}(?:\s?(?:bis|ter|quater|[A-Z])\b)?,?\s{1,2})"
_PARTICLES = """de del della delle dello dei degli di da das do dos du des la las le les los el san santa saint
    sainte i y
e ao à""".split()
_ROMANCE = re.compile(
    rf"{_ROMANCE_AHEAD}?(?<!\w)(?P<kind>(?i:{'|'.join(map(re.escape, sorted(_ROMANCE_KINDS.split(), key=len)[::-1]))}))"
    r"(?!\w)\.?\s?"
    rf"(?P<name>(?:(?:{'|'.join(_PARTICLES)})[\s-]|(?:[lLdD]|dell|dall|all)['’]|\d{{1,2}} (?=[^\W\d_]{{4,9}} )|"
    r"[A-ZÀ-ÖØ-Þ][\w'’.-]{0,24}[\s-]?){1,8})"
    rf"(?<![\s-])(?P<number>{_ROMANCE_NUMBER})?(?![\w:]|\.\d)"
)
# All in small letters: only where nothing else can be meant.
_ROMANCE_SMALL = re.compile(
    rf"(?<!\w)(?:{_ROMANCE_AHEAD})?(?:rue|boulevard|calle|avenida|plaza|paseo|viale|piazza|vicolo|rua|praça|travessa)"
    r"(?:\s[a-zß-ÿ'’-]{2,20}){1,4}?,?\s\d{1,4}(?![\w:%€$]|[.,]\d)"
)
_ROMANCE_TAIL = re.compile(
    r"(?:,?\s{1,2}\d{1,2}[ºª°](?:\s?[A-D](?!\w))?)?(?:,?\s{1,2}(?i:apt|apto|appartamento|piso|puerta|esc|étage|int|"
    r"piano|andar|bloco)\b\.?\s{0,2}\w{1,4}){0,2}"
    rf"(?:,?\s{{1,2}}\d{{4,5}}(?:-\d{{3}})?,?\s{{1,2}}{_CITY})?"
)


# A street's kind alone has a capital at least: "ring 020 …", "park 5".
_KINDS_ALONE = (*GERMAN_ENDS, "tor", "höhe", "zeile")


def find_european_addresses(text: str, found: Found) -> None:
    """Find addresses of continental Europe."""
    found.add_all(_PLACES, "address")
    found.add_all(_JAPANESE, "address", is_one=lambda match: _JAPANESE_PLACE.search(match[0]) is not None)
    for match in _GERMAN.finditer(text):
        if match[0].split()[0] in _KINDS_ALONE:
            continue
        tail = _GERMAN_TAIL.match(text, match.end())
        found.add(match.start(), tail.end() if tail else match.end(), "address")
    for match in _ROMANCE.finditer(text):
        _add_romance(match, found)


def find_small_addresses(found: Found) -> None:
    """Find Romance addresses all in small letters."""
    found.add_all(_ROMANCE_SMALL, "address")


def _add_romance(match: re.Match[str], found: Found) -> None:
    ahead = match.string[match.start() : match.start("kind")].strip()
    before = match.string[max(0, match.start() - 30) : match.start()].split(" ")[-2:]
    if not ahead and len(before) == 2 and not before[1] and before[0][:1].isupper() and before[0][-1:].isalnum():
        # "Joshua Avenue": an English street, whose kind comes last.
        return
    if not (ahead or match["number"]) or not any(map(str.isupper, match["name"])):
        return
    tail = _ROMANCE_TAIL.match(match.string, match.end())
    found.add(match.start(), tail.end() if tail else match.end(), "address")
