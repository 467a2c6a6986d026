"""Finds where people live: a street with a number, what stands beside it, and coordinates; English addresses.

One pattern for each way of writing it, all bounded.
"""

import re

from train.redaction.address_parts import widened
from train.redaction.addresses_european import find_european_addresses, find_small_addresses
from train.redaction.addresses_russian import find_russian_addresses
from train.redaction.common_words import COMMON_WORDS
from train.redaction.spans import Found

STATES = """AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH
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
SUFFIXES = dict.fromkeys(_WEAK.split(), True) | dict.fromkeys(_STRONG.split(), False)
"""Words that end the name of an English street, and whether they need capitals."""
_UNIT = (
    r"(?:,?\s{1,2}(?:buzz(?:er)?|apt|apartment|suite|ste|unit|flat|floor|fl|room|rm|bldg|po box|"
    r"rd)\b\.?\s?#?\s?\w{0,3}\d\w{0,3}|"
    r",?\s{1,2}(?:apt|apartment|suite|ste|unit|flat)\b\.?\s?\w(?!\w)|,?\s?#\s?\w{1,6})"
)
_UK_POSTCODE = r"(?:GIR ?0AA|[A-Z]{1,2}\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{2})"
_CITY = r"(?:[A-ZÀ-Þ][\w'’.-]{1,25}(?: [A-ZÀ-Þ][\w'’.-]{1,25}){0,2})"
_STATE = rf"(?:{'|'.join(STATES.split())})"
_US_TAIL = rf"(?:,?\s{{1,2}}{_CITY})?,?\s{{1,2}}{_STATE},?\s{{1,2}}\d{{5}}(?:-\d{{4}})?(?!\d)"
_UK_TAIL = rf"(?:,?\s{{1,2}}{_CITY}){{0,2}},?\s{{1,2}}{_UK_POSTCODE}(?!\w)"
_HOME = (
    r"(?:(?:h|house|plot|door|shop|flat)\.?\s?no\.?\s?\d{1,5},?\s{1,2}|(?:flat|apt\.?|apartment|unit|suite|"
    r"studio|level|floor|room)\s\w{1,5},?\s{1,2})"
)
_ENGLISH = re.compile(
    r"(?<![\w.,:/$€£₽#-])"
    rf"(?:(?:{_HOME})?\d{{1,6}}(?:-\d{{1,6}})?\s?[A-Za-z]?(?:/\d{{1,4}})?,?\s{{1,2}}|{_HOME})(?=[^\W\d_]|"
    rf"\d{{1,3}}(?:st|nd|rd|th)\b)",
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
_INITIALS = re.compile(r"(?:[A-Z]\.){1,3}|(?:St|Mt|Dr|Ft|N|S|E|W)\.")
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

_DEGREES = re.compile(
    r"(?<![\w.-])-?(?:[1-8]?\d|90)\.\d{3,15}°?(?:\s?[NSСЮ])?(?:\s?[,;]\s{0,2}|\s{1,2})-?(?:1[0-7]\d|\d{1,2}|180)"
    r"\.\d{3,15}°?(?:\s?[EWВЗ](?!\w))?(?!\w|\.\d)"
)
_MINUTES = re.compile(
    r"(?<!\w)\d{1,2}°\s?\d{1,2}['′’]\s?(?:\d{1,2}(?:\.\d{1,6})?[\"″”]\s?)?[NSСЮ][,\s]{1,3}\d{1,3}°\s?\d{1,2}['′’]\s?(?:\d{1,2}(?:\.\d{1,6})?[\"″”]\s?)?[EWВЗ](?!\w)"
)


def find_locations(found: Found) -> None:
    """Find pairs of coordinates: in degrees with three decimals and more, or in minutes."""
    for pattern in (_DEGREES, _MINUTES):
        found.add_all(pattern, "location")


def find_addresses(text: str, found: Found) -> None:
    """Find addresses in English, Russian, German, French, Spanish, Italian, Portuguese and more."""
    if not text.isascii():
        find_russian_addresses(text, found)
    find_european_addresses(text, found)
    _find_english(text, found)
    find_small_addresses(found)
    found.widen("address", widened)
    for pattern in (_BOX, _TAILS):
        found.add_all(pattern, "address", is_one=lambda match: any(map(str.isdigit, match[0])))


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
        weak = SUFFIXES.get(name.casefold())
        if len(words) > 1 and weak is not None and _is_street(words, weak, _told_by(match, end)):
            # The full stop of "St." is its own, unless the sentence ends there too.
            street = end + (text[end : end + 1] == "." and len(name) < 5)
        elif street or words[0].casefold() in _HOMES:
            break
        elif len(words) < 4 and all(one.istitle() and one.isalpha() for one in words):
            names = end if _MONTHS.isdisjoint(one.casefold() for one in words) else 0
        if _INITIALS.fullmatch(word[0]):
            # "M.G. Road", "St. Mary's Road": the full stop ends no sentence.
            continue
        if (len(name) < len(word[0]) and street != word.end()) or text[word.end() : word.end() + 1] == ",":
            break
    if street or not names:
        return street or None
    told = match[0][0].isalpha() or _ENGLISH_CUE.search(text, max(0, match.start() - 60), match.start())
    return names if told else None


_MONTHS = frozenset(
    """january february march april may june july august september october november december jan feb mar apr jun jul aug
    sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday""".split()
)
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
