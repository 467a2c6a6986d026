"""Finds where people live: a street with a number, what stands beside it, and coordinates.

One pattern for each way of writing it, all bounded. What stands in for an address keeps the words that say what it is.
"""

import re

from train.redaction.common_words import COMMON_WORDS
from train.redaction.key import Draws, RedactionKey
from train.redaction.spans import Found, compact
from train.redaction.stand_ins import other_character, written_like

_STATES = """AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH
    OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC PR AS GU MP VI FM MH PW AA AE AP"""
# The street suffixes of USPS Publication 28, appendix C1, of AS 4590 (Australia), and British ones. Short or everyday
# words among them only count where every word has a capital.
_STRONG = """street st avenue ave road rd boulevard blvd lane ln terrace ter crescent cres close gardens gdns mews
    parkway pkwy highway hwy turnpike expressway motorway freeway throughway alley circle cir court ct drive dr square
    sq"""
_WEAK = """nagar marg chowk path zila colony vihar bagh ganj puram layout enclave sector phase place pl way row walk
    hill park grove rise view views vale yard wharf quay green gate bank end side branch
    bridge brook brooks burg burgs bypass camp canyon cape causeway center centers centre circles cliff cliffs club
    common corner corners course courts cove coves creek crest crossing crossroad curve dale dam divide drives estate
    estates extension extensions fall falls ferry field fields flat flats ford fords forest forge forges fork forks
    fort garden gateway glen glens greens groves harbor harbors haven heights hills hollow inlet island islands isle
    junction junctions key keys knoll knolls lake lakes land landing light lights loaf lock locks lodge loop mall manor
    manors meadow meadows mill mills mission mount mountain mountains neck orchard oval overpass parks parkways pass
    passage path pike pine pines plain plains plaza point points port ports prairie radial ramp ranch rapid rapids rest
    ridge ridges river road roads route rue run shoal shoals shore shores skyway spring springs spur spurs squares
    station alleyway amble anchorage approach arcade artery basin bay beach bend block brace brae break broadway brow
    byway centreway chase circlet circuit circus colonnade concourse copse corso courtyard cross crossway cruiseway
    cutting dell deviation dip distributor driveway edge elbow entrance esplanade fairway follow footway foreshore
    formation front frontage gap gates glade grange ground gully highroad interchange intersection laneway lees line
    little lookout lower meander mew nook outlook parade parklands part pathway piazza plateau pocket promenade quad
    quadrangle quadrant quays ramble range reach reserve retreat ridgeway right ring riverway riviera roadside roadway
    ronde rosebowl rotary round siding slope sound stairs steps strand strip subway tarn thoroughfare tollway top tor
    tower towers trailer triangle trunkway turn upper villas wade walkway wynd croft drove fold hollows lea maltings
    paddock paddocks precinct shaw townhouse wood woods copse spinney keep holt hurst mead causey barn barns cottages
    terraces stravenue stream streets summit terrace trace track trafficway trail trails tunnel underpass union unions
    valley valleys viaduct viaducts village villages ville vista walks wall ways well wells"""
_SUFFIXES = dict.fromkeys(_WEAK.split(), True) | dict.fromkeys(_STRONG.split(), False)
"""Words that end the name of an English street, and whether they need capitals."""
_UNIT = (
    r"(?:,?\s{1,2}(?:buzz(?:er)?|apt|apartment|suite|ste|unit|flat|floor|fl|room|rm|bldg|po box|"
    r"rd)\b\.?\s?#?\s?\w{0,3}\d\w{0,3}|"
    r",?\s{1,2}(?:apt|apartment|suite|ste|unit|flat)\b\.?\s?\w(?!\w)|,?\s?#\s?\w{1,6})"
)
_UK_POSTCODE = r"(?:GIR ?0AA|[A-Z]{1,2}\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{2})"
_CITY = r"(?:[A-ZÀ-Þ][\w'’.-]{1,25}(?: [A-ZÀ-Þ][\w'’.-]{1,25}){0,2})"
_STATE = rf"(?:{'|'.join(_STATES.split())})"
_US_TAIL = rf"(?:,?\s{{1,2}}{_CITY})?,?\s{{1,2}}{_STATE},?\s{{1,2}}\d{{5}}(?:-\d{{4}})?(?!\d)"
_UK_TAIL = rf"(?:,?\s{{1,2}}{_CITY}){{0,2}},?\s{{1,2}}{_UK_POSTCODE}(?!\w)"
_HOME = (
    r"(?:(?:h|house|plot|door|shop|flat)\.?\s?no\.?\s?\d{1,5},?\s{1,2}|(?:flat|apt\.?|apartment|unit|suite|"
    r"studio|level|floor|room)\s\w{1,5},?\s{1,2})"
)
_ENGLISH = re.compile(
    r"(?<![\w.,:/$€£₽#-])"
    rf"(?:(?:{_HOME})?\d{{1,6}}(?:-\d{{1,6}})?\s?[A-Za-z]?(?:/\d{{1,4}})?,?\s{{1,2}}|{_HOME})(?=[^\W\d_]|"
    rf"\d{1, 3}(?:st|nd|rd|th)\b)",
    re.I,
)
# Where somebody lives or goes to: after it a number and words with capitals are an address whatever the last one is.
_ENGLISH_CUE = re.compile(
    r"\b(?:liv(?:e|es|ed|ing)|mov(?:e|ed|ing)|address|parcel|package|deliver\w*|pick \w{2,4} up|come over|home|"
    r"house|flat|"
    r"ship\w*|located|new place|reside\w*|staying|uber|taxi)\b[^\n]{0,24}\Z",
    re.I,
)
_ENGLISH_WORD = re.compile(r"[^\s,]+")
_ENGLISH_TAIL = re.compile(
    rf"(?:\s(?:[NSEW]|NE|NW|SE|SW|North|South|East|"
    rf"West)\b\.?)?(?:(?:(?i:{_UNIT})){{1,2}},\s{{1,2}}{_CITY}(?!\w)(?!,?\s{{1,2}}(?:{_STATE}|"
    rf"{_UK_POSTCODE})\b))?(?:(?i:{_UNIT})){{0,2}}(?:{_US_TAIL}|{_UK_TAIL}|"
    rf",\s{{1,2}}{_CITY}(?=\s{{0,2}}(?:[,.;!?)\n]|\Z)))?"
)
_TAILS = re.compile(rf"(?<!\w)(?:{_CITY},\s{_STATE}\s\d{{5}}(?:-\d{{4}})?|{_UK_POSTCODE})(?!\w)")
_BOX = re.compile(
    r"(?<!\w)(?:(?:P\.? ?O\.? ?(?:Box|B\.?)|Postfach|Apartado|Casella postale|а/я|абонентский ящик|"
    r"(?:flat|apt|apartment)(?:\sno\.?|\snumber)?)\s{0,2}[№#]?\s?\d{1,6}[A-Za-z]?(?=\s{0,2}(?:[,.;!?)\n]|\Z))|"
    r"(?:P\.? ?O\.? ?(?:Box|B\.?)|Postfach|(?-i:BP)|Apartado|а/я|абонентский ящик)\s{1,2}№?\s?\d{1,6}(?![\w/]))"
    rf"(?:(?-i:{_US_TAIL}))?",
    re.I,
)
_PLACES = re.compile(
    # Dutch, Swedish, Danish, Norwegian, Finnish, Hungarian, Turkish, Polish, Czech.
    r"(?<!\w)[A-ZÀ-Ž][\w-]{2,30}(?:gracht|straat|laan|plein|kade|singel|dijk|gatan|vägen|gränd|gade|vej|vegen|veien|"
    r"gata|katu|kuja)"
    r"\s\d{1,4}(?:[- ]?[A-Za-z])?(?![\w%€]|[.:,]\d)|"
    r"(?<!\w)(?:[Uu]l|[Aa]l|[Oo]s|[Pp]l|[Nn]ám)\.\s?(?:[A-ZÀ-Ž0-9][\w.-]{0,24}\s){1,3}\d{1,4}[A-Za-z]?(?:\s?(?:/|"
    r"m\.?)\s?\d{1,4})?(?![\w%]|[.:,]\d)|"
    r"(?<!\w)(?:[A-ZÀ-Žİ][\w.]{1,24}\s){1,3}(?:Sokak|Sokağı|Sk\.|Caddesi|Cad\.|Cd\.|utca|út|"
    r"tér)\s(?:[Nn]o:?\s?)?\d{1,4}(?:/\d{1,4})?(?!\w)"
)
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

_ROMANCE_KINDS = """c. rue avenue av ave avda avenida boulevard bd blvd place chemin impasse allée allées quai route
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
    r"[А-ЯЁа-яё][А-Яа-яёЁ-]{1,24})"
)
_HOUSE = (
    r",?\s{0,2}(?:(?:д(?:ом|оме)?\.?|влад\.?|вл\.?)"
    r"\s{0,2}№?\s?)?\d{1,4}(?:\s?[а-еА-Е](?!\w))?(?:\s?[/-]\s?\d{1,4}[а-еА-Е]?)?"
    r"(?:,?\s{0,2}(?:к(?:орп(?:ус|\.)?|\.)?|стр(?:оение|\.)?|с\.?)\s{0,2}\d{1,4}(?:/\d{1,3})?){0,2}"
)
_FLAT = (
    r"(?:,?\s{0,2}(?:кв(?:артира|артире|\.)?|оф(?:ис|\.)?|под(?:ъезд|ъезде|\.)?|эт(?:аж|аже|\.)?|ком(?:ната|н|"
    r"\.)?|домофон|пом\.?)\s{0,2}№?\s?\d{1,5}(?:[#*кКkKвВ]\d{3,6}|[а-е])?(?!\w)|,?\s{1,2}\d{1,3}(?:-?й)? (?:подъезд|"
    r"этаж|эт\.?)(?!\w)){0,4}"
)
_RUSSIAN = re.compile(
    r"(?<!\w)(?:\d{6},?\s{1,2})?"
    r"(?:(?:г(?:ород|\.)|п(?:ос(?:[её]лок|\.)?|\.|гт\.?)|с(?:ело|\.)|д(?:еревня|\.)|ст(?:аница|\.)|клх|к\.)"
    r"\s{0,2}[А-ЯЁ][а-яё-]{1,24}(?:\s[А-ЯЁ][а-яё-]{1,24})?,?\s{1,2}|[А-ЯЁ][а-яё-]{2,24},\s{1,2})?"
    rf"(?:{_STREET}\s{{0,2}}(?:{_WORD}\s{{1,2}}){{0,3}}{_WORD}|"
    rf"(?:{_WORD}\s{{1,2}}){{0,2}}[А-ЯЁа-яё][А-Яа-яёЁ-]{{2,24}}\s{{1,2}}{_STREET})"
    rf"{_HOUSE}{_FLAT}(?![\w%₽]|[.:,]\d| (?:минут|мин|час|руб|км|метр|раз|год|лет|числа|январ|феврал|март|апрел|мая|"
    rf"серия|серии|страниц|балл|этаж|сотых|процент|человек|июн|июл|август|сентябр|октябр|ноябр|декабр))",
    re.I,
)
_RUSSIAN_FLAT = re.compile(
    r"(?<!\w)д(?:ом|оме|\.)\s{0,2}№?\s?\d{1,4}\s?[а-е]?(?:/\d{1,3})?(?:,?\s{0,2}(?:к(?:орп(?:ус|\.)?|\.)|стр\.?)"
    r"\s{0,2}\d{1,3})?,?\s{0,2}(?:кв(?:артира|\.)?)\s{0,2}№?\s?\d{1,5}(?!\w)",
    re.I,
)
_RUSSIAN_CUE = re.compile(
    r"(?<!\w)(?:адрес\w{0,3}|жив[уёе]\w{0,3}|прожива\w{1,4}|приезжа\w{1,4}|подъезжа\w{1,4}|переехал\w{0,2}|"
    r"квартир\w{1,2}|дом|доставк\w{1,2})(?!\w)[^\n]{0,30}?",
    re.I,
)
_RUSSIAN_PLAIN = re.compile(
    r"(?<!\w)(?:на\s|по\s|:\s{0,2})"
    r"([А-ЯЁ][а-яё-]{3,24}(?:\s[А-ЯЁ][а-яё-]{3,24})?,?\s\d{1,3}\s?[а-е]?(?:/\d{1,3})?(?:,?\s?кв\.?\s?\d{1,4}|"
    r"-\d{1,4})?)(?![\w:]|[.,]\d)"
)

# Words of a sentence, which no street is called by.
_NO_RUSSIAN_NAME = frozenset(
    """за по в с от до через было будет стоит стоят был была есть нет и или а но что это там тут где мы ты я он она они
    вы не уже ещё еще очень красивая темный хороший длиной около""".split()
)
_DEGREES = re.compile(
    r"(?<![\w.-])-?(?:[1-8]?\d|90)\.\d{3,15}°?(?:\s?[NSСЮ])?(?:\s?[,;]\s{0,2}|\s{1,2})-?(?:1[0-7]\d|\d{1,2}|180)"
    r"\.\d{3,15}°?(?:\s?[EWВЗ](?!\w))?(?!\w|\.\d)"
)
_MINUTES = re.compile(
    r"(?<!\w)\d{1,2}°\s?\d{1,2}['′’]\s?(?:\d{1,2}(?:\.\d{1,6})?[\"″”]\s?)?[NSСЮ][,\s]{1,3}\d{1,3}°\s?\d{1,2}['′’]\s?(?:\d{1,2}(?:\.\d{1,6})?[\"″”]\s?)?[EWВЗ](?!\w)"
)


def find_locations(text: str, found: Found) -> None:
    """Find pairs of coordinates: in degrees with three decimals and more, or in minutes."""
    for pattern in (_DEGREES, _MINUTES):
        for match in pattern.finditer(text):
            found.add(match.start(), match.end(), "location")


def find_addresses(text: str, found: Found) -> None:
    """Find addresses in English, Russian, German, French, Spanish, Italian and Portuguese."""
    if not text.isascii():
        _find_russian(text, found)
    for match in _PLACES.finditer(text):
        found.add(match.start(), match.end(), "address")
    for match in _GERMAN.finditer(text):
        if match[0].split()[0] in (*_GERMAN_ENDS, "tor", "höhe", "zeile"):
            # "ring 020 …", "park 5": a street's kind alone has a capital at least.
            continue
        tail = _GERMAN_TAIL.match(text, match.end())
        found.add(match.start(), tail.end() if tail else match.end(), "address")
    for match in _ROMANCE.finditer(text):
        _add_romance(match, found)
    _find_english(text, found)
    for match in _ROMANCE_SMALL.finditer(text):
        found.add(match.start(), match.end(), "address")
    for pattern in (_BOX, _TAILS):
        for match in pattern.finditer(text):
            if any(map(str.isdigit, match[0])):
                found.add(match.start(), match.end(), "address")


def _find_russian(text: str, found: Found) -> None:
    for match in _RUSSIAN.finditer(text):
        if not _NO_RUSSIAN_NAME.isdisjoint(match[0].casefold().split()[:4]):
            continue
        found.add(match.start(), match.end(), "address")
    for match in _RUSSIAN_PLOT.finditer(text):
        found.add(match.start(), match.end(), "address")
    for match in _RUSSIAN_FLAT.finditer(text):
        found.add(match.start(), match.end(), "address")
    for cue in _RUSSIAN_CUE.finditer(text):
        plain = _RUSSIAN_PLAIN.search(text, cue.end(), min(len(text), cue.end() + 60))
        if plain and "\n" not in text[cue.end() : plain.start()]:
            found.add(plain.start(1), plain.end(1), "address")


def _add_romance(match: re.Match[str], found: Found) -> None:
    ahead = match.string[match.start() : match.start("kind")].strip()
    before = match.string[max(0, match.start() - 30) : match.start()].split(" ")[-2:]
    if not ahead and len(before) == 2 and not before[1] and before[0][:1].isupper():
        # "Joshua Avenue": an English street, whose kind comes last.
        return
    if not (ahead or match["number"]) or not any(map(str.isupper, match["name"])):
        return
    tail = _ROMANCE_TAIL.match(match.string, match.end())
    found.add(match.start(), tail.end() if tail else match.end(), "address")


def _find_english(text: str, found: Found) -> None:
    for match in _ENGLISH.finditer(text):
        end = _english_end(match)
        if end is not None:
            tail = _ENGLISH_TAIL.match(text, end)
            found.add(match.start(), tail.end() if tail else end, "address")


def _english_end(match: re.Match[str]) -> int | None:
    """Return where a street ends, among the words after its number; None when there is none."""
    text, begin = match.string, match.end()
    words: list[str] = []
    street = names = 0
    for word in _ENGLISH_WORD.finditer(text, begin, min(len(text), begin + 120)):
        name = word[0].rstrip(".,;:!?)")
        if len(words) == 6 or not name or "\n" in text[begin : word.start()]:
            break
        words.append(name)
        end = word.start() + len(name)
        weak = _SUFFIXES.get(name.casefold())
        if len(words) > 1 and weak is not None and _is_street(words, weak, _told_by(match, end)):
            # The full stop of "St." is its own, unless the sentence ends there too.
            street = end + (text[end : end + 1] == "." and len(name) < 5)
        elif street or words[0].casefold() in _HOMES:
            break
        elif len(words) < 4 and all(one.istitle() and one.isalpha() for one in words):
            names = end
        if (len(name) < len(word[0]) and street != word.end()) or text[word.end() : word.end() + 1] == ",":
            break
    if street or not names:
        return street or None
    told = match[0][0].isalpha() or _ENGLISH_CUE.search(text, max(0, match.start() - 60), match.start())
    return names if told else None


_HOMES = frozenset("unit flat apt apartment suite floor level room po".split())
_NOT_A_STREET = frozenset(
    """the a an this that my our your his her their of in on at to from by with and or way per each every other same
    next i you he she it we they who what when where there here then than so if as but not no is are was were be been
    do does did have has had will would can could must should just only all both some any more most mile miles minute
    minutes min mins hour hours hr hrs day days week weeks month months year years km meter metre people person cars
    house houses tickets bedroom bedrooms bed story tennis hard warp disk flash thumb usb long short test
    food""".split()
)


_UNIT_AHEAD = re.compile(rf",?\s{{1,2}}(?:apt|apartment|unit|flat|suite|ste|#)\b|,?\s{{1,2}}{_UK_POSTCODE}(?!\w)", re.I)


def _told_by(match: re.Match[str], end: int) -> bool:
    """Return whether what stands around words says that they are a street: a flat's number, or "lives on"."""
    text = match.string
    return (
        match[0][0].isalpha()
        or _UNIT_AHEAD.match(text, end) is not None
        or _ENGLISH_CUE.search(text, max(0, match.start() - 60), match.start()) is not None
    )


def _is_street(words: list[str], weak: bool, told: bool) -> bool:
    capital = [word[0].isupper() or word[0].isdigit() for word in words]
    if all(capital):
        return True
    names = [word.casefold() for word in words[:-1]]
    if any(name in _NOT_A_STREET for name in names):
        return False
    if told:
        return True
    if weak or len(names) > 3:
        return False
    if words[-1].casefold() in ("street", "road", "rd", "avenue", "ave", "lane", "boulevard", "blvd"):
        # No other thing is called so; "drive", "court" and "close" are.
        return True
    if all(capital[:-1]) or names[0][0].isdigit():
        return True
    return len(names) == 1 or (len(names) <= 3 and not all(name in COMMON_WORDS for name in names))


# Words that say what a part of an address is: they stay.
_STAYS = frozenset(
    [one.casefold() for one in (*_SUFFIXES, *_STATES.split())]
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
_GERMAN_ENDS = tuple(
    """straße strasse str gasse weg platz allee ring damm ufer chaussee steig stieg markt graben park hof pfad brücke
    wall""".split()
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
    end = next((one for one in _GERMAN_ENDS if word.endswith(one)), "")
    own = key.draws("street", word)
    return "".join(other_character(char, own) for char in part[: len(part) - len(end)]) + part[len(part) - len(end) :]
