"""Writes bodies as Apple's archiver does, so that tests need nobody's real messages."""


def _number(value: int) -> bytes:
    if -110 <= value <= 127:
        return value.to_bytes(1, "little", signed=True)
    if -(2**15) <= value < 2**15:
        return b"\x81" + value.to_bytes(2, "little", signed=True)
    return b"\x82" + value.to_bytes(4, "little", signed=True)


def _length(value: int) -> bytes:
    if value < 128:
        return bytes([value])
    return b"\x81" + value.to_bytes(2, "little") if value < 2**16 else b"\x82" + value.to_bytes(4, "little")


def _text(text: str) -> bytes:
    raw = text.encode("utf-8")
    return _length(len(raw)) + raw


def _class(*names_versions: tuple[str, int], ends: bytes) -> bytes:
    return b"".join(b"\x84\x84" + _text(name) + bytes([version]) for name, version in names_versions) + ends


def body(text: str, *, mutable: bool = False, mention: str | None = None) -> bytes:
    """An attributed string of one run over the whole text, with an attribute as Messages writes it.

    With `mention`, the attribute is the handle of somebody the text mentions.
    """
    # Strings and objects are numbered as they come, apart from each other; a reference is 0x92 plus the number.
    # Strings: "@", the names of the classes, "+". Objects: the attributed string, its classes, the text, its classes.
    if mutable:
        root = _class(("NSMutableAttributedString", 0), ("NSAttributedString", 0), ("NSObject", 0), ends=b"\x85")
        string = _class(("NSMutableString", 1), ("NSString", 1), ends=_reference(3))
        ns_object, ns_string, plus = 3, 5, 6
    else:
        root = _class(("NSAttributedString", 0), ("NSObject", 0), ends=b"\x85")
        string = _class(("NSString", 1), ends=_reference(2))
        ns_object, ns_string, plus = 2, 4, 4
    at = _reference(0)
    out = b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84" + root + at + b"\x84" + string
    out += b"\x84\x01+" + _text(text) + b"\x86"
    out += b"\x84\x02iI" + _number(1) + _number(len(text.encode("utf-16-le")) // 2)
    out += at + b"\x84" + _class(("NSDictionary", 0), ends=_reference(ns_object)) + b"\x84\x01i" + _number(1)
    key = "__kIMMentionConfirmedMention" if mention else "__kIMMessagePartAttributeName"
    out += at + b"\x84" + _reference(ns_string) + _reference(plus) + _text(key) + b"\x86" + at + b"\x84"
    if mention:
        out += _reference(ns_string) + _reference(plus) + _text(mention)
    else:
        out += _class(("NSNumber", 0), ("NSValue", 0), ends=_reference(ns_object)) + b"\x84\x01*"
        # The type of the number, "i", is a string that is written already, and then a group of that type.
        out += b"\x84" + _reference(plus + 3) + _reference(plus + 3) + _number(0)
    return out + b"\x86\x86\x86"


def _reference(number: int) -> bytes:
    return bytes([0x92 + number])
