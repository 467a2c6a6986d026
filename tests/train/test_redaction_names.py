"""Names of people who must not appear: in all their forms, and only where they are meant."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from train.importing import import_paths
from train.people import exclude, people, person_named
from train.redaction import KnownPerson, RedactionKey, Redactor, known_people
from train.store import Store

Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]


def hiding(
    *hidden: KnownPerson | str,
    shown: tuple[str, ...] = (),
    forgotten: Callable[[str], bool] | None = None,
    key: RedactionKey | None = None,
) -> Redactor:
    people = [one if isinstance(one, KnownPerson) else KnownPerson(n, (one,)) for n, one in enumerate(hidden)]
    others = [KnownPerson(100 + n, (one,)) for n, one in enumerate(shown)]
    return Redactor(key or RedactionKey(None, b"0" * 32), hidden=people, shown=others, forgotten=forgotten)


def names(redactor: Redactor, text: str) -> list[str]:
    return [span.value for span in redactor.spans(text) if span.kind == "name"]


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("Мария Козлова", "маше, Машеньке и марией козловой", ["маше", "Машеньке", "марией", "козловой"]),
        (
            "Мария Козлова",
            "Маш, Козловых нет, masha, Mariya Kozlova",
            ["Маш", "Козловых", "masha", "Mariya", "Kozlova"],
        ),
        ("Саша Петров", "Александру Петрову от Сани", ["Александру", "Петрову", "Сани"]),
        ("Иван Иванович Шевченко", "Ивану Ивановичу Шевченко", ["Ивану", "Ивановичу", "Шевченко"]),
        ("Артём Фёдоров", "артема федорова", ["артема", "федорова"]),
        ("Masha Ivanova", "с Машей Ивановой", ["Машей", "Ивановой"]),
        ("Zoë Müller", "zoe, Zoe's, zoes, ZOË, mueller, Muller", ["zoe", "Zoe", "zoes", "ZOË", "mueller", "Muller"]),
        ("Zoë", "Zoe\u0308 e\u0301", ["Zoe\u0308"]),
        ("Robert Miller", "bob, Rob and Bobby miller", ["bob", "Rob", "Bobby", "miller"]),
        ("Terence O'Dowd", "O'Dowd and terence", ["O'Dowd", "terence"]),
        ("Anna-Lena Groß", "Anna-Lena gross", ["Anna", "Lena", "gross"]),
        ("王小明", "我看见王小明了", ["王小明"]),
        ("김민수", "김민수는 어디", ["김민수"]),
        ("Γιώργος Παππάς", "ο γιωργος", ["γιωργος"]),
        ("Bo Li", "Bo Li; bo li; bo is li", ["Bo", "Li", "bo", "li"]),
        ("Mom 2", "mom said Mom is here", []),
        ("Deleted Account", "my account was deleted", []),
        ("👻", "👻", []),
    ],
)
def test_every_form_of_a_name_is_found(name: str, text: str, found: list[str]) -> None:
    assert names(hiding(name), text) == found


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("Will Parker", "will you? Will you come? ask Will. Will said no", ["Will", "Will"]),
        ("Will Parker", "Don't. We Will'll. will parker", ["will", "parker"]),
        ("Mark Long", "mark it, long day. tell Mark", ["Mark"]),
        ("Mark Long", "Mark, come here", ["Mark"]),
        ("May Brown", "in May we met, on 5 May, may I? I saw May", ["May"]),
        ("Rose Hill", "a rose on the hill", []),
        ("Вера Лев", "вера в людей. Вера в себя. видел Веру", ["Веру"]),
        ("Надежда", "надежда есть. Надежда умирает последней. позвони Надежде", ["Надежде"]),
        ("Любовь Роман", "любовь прошла, читаю роман", []),
        ("Света", "света нет, скажи Свете", ["Свете"]),
        ("Вера", "WILL ВЕРА БЫТЬ", []),
        ("Amber", "amber said hi to the amber light", ["amber"]),
        ("Don Quill", "I don't know", []),
    ],
)
def test_words_that_are_names_too_are_found_where_they_are_meant(name: str, text: str, found: list[str]) -> None:
    assert names(hiding(name), text) == found


def test_a_name_shared_with_somebody_shown_stays_unless_its_other_owner_is_excluded() -> None:
    text = "Alex, Alex Doe, Alex Petrov"
    assert names(hiding("Alex Petrov", shown=("Alex Doe",)), text) == ["Alex", "Petrov"]
    excluded = KnownPerson(1, ("Alex Petrov",), excluded=True)
    redacted = hiding(excluded, shown=("Alex Doe",)).redact(text)
    assert redacted.count("Alex") == 1
    assert "Alex Doe" in redacted


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("вера вижу Веру, ВЕРУ", r"вера вижу (\w+)у, ([А-Я]+)У"),
        ("с Верой Козловой", r"с [А-Я]\w+(ой|ей) [А-Я]\w+ой"),
        ("Козлов и Козлова", r"([А-Я]\w+) и \1а"),
    ],
)
def test_a_stand_in_has_the_case_and_the_capitals_of_the_name(text: str, shape: str) -> None:
    redacted = hiding("Вера Козлова", key=RedactionKey(None, b"7" * 32)).redact(text)
    if "у," in shape:
        assert re.match(r"вера вижу [А-Я]\w+, [А-Я]+$", redacted), redacted
        assert redacted.split()[2].strip(",").upper() == redacted.split()[3]
    else:
        assert re.fullmatch(shape, redacted), redacted
    assert not re.search("козл", redacted.casefold())


def test_first_name_surname_and_whole_name_are_replaced_alike() -> None:
    redactor = hiding("Zoë Smith", "Ella Stone")
    whole = redactor.redact("Zoë Smith").split()
    assert whole == [redactor.redact("Zoe"), redactor.redact("Smith")]
    assert redactor.redact("zoes") == whole[0].lower() + "s"
    assert redactor.redact("Ella") != whole[0]


def test_stand_ins_of_names_do_not_depend_on_who_is_listed_first() -> None:
    listed = [f"{first} {last}" for first, last in zip(["Zoë", "Ella", "Max"], ["Smith", "Stone", "Ford"], strict=True)]
    people = [KnownPerson(n, (name,)) for n, name in enumerate(listed)]
    first, second = hiding(*people), hiding(*people[::-1])
    assert [first.redact(one) for one in listed] == [second.redact(one) for one in listed]


def test_nobody_is_called_by_the_name_of_somebody_known() -> None:
    key = RedactionKey(None, b"3" * 32)
    stand_in = hiding("Zoë", key=key).redact("Zoë")
    # The next run knows somebody who is called like the stand-in.
    again = hiding("Zoë", shown=(stand_in,), key=key).redact("Zoë")
    assert again not in (stand_in, "Zoë")


def test_usernames_are_replaced_whole() -> None:
    redactor = hiding(KnownPerson(1, ("Vera", "vera_k92")), KnownPerson(2, ("Max", "x.dragon.x")))
    redacted = redactor.redact("@vera_k92, VERA_K92! x.dragon.x, vera_k921")
    assert "vera_k92," not in redacted.lower()
    assert "x.dragon.x" not in redacted
    assert re.fullmatch(r"@[a-z]{4}_[a-z]\d\d, .*", redacted)


def test_the_forgotten_are_found_by_their_marks(store: Store, telegram_chat: Write, telegram_row: Row) -> None:
    rows = [telegram_row(1, "Alice"), telegram_row(2, "Bob"), telegram_row(3, "Carol")]
    rows[1]["from"] = "Вера Кузнецова"
    rows[2]["from"] = "Bo Ng"
    import_paths(store, [telegram_chat(rows, to="g/result.json", type="private_group", id=5, name="Club")])
    for name in ("Вера Кузнецова", "Bo Ng"):
        store.forget(person_named(people(store.db), name))
    forgotten = store.forgotten
    assert all(map(forgotten.has_name, ("верой", "кузнецовой", "верочка", "vera", "ng bo", "bo ng")))
    assert not any(map(forgotten.has_name, ("alice", "", "bo", "вера кто")))
    shown = [one for one in known_people(store.db) if not one.excluded]
    redactor = Redactor(RedactionKey(None, b"0" * 32), hidden=[], shown=shown, forgotten=forgotten.has_name)
    text = "ask Bo Ng, not bo. видел Веру Кузнецову, веры нет. Alice knows"
    assert names(redactor, text) == ["Bo", "Ng", "Веру", "Кузнецову"]
    redacted = redactor.redact(text)
    assert redacted.startswith("ask ")
    assert redacted.endswith("веры нет. Alice knows")
    assert forgotten.remove("telegram", "user2")
    assert not forgotten.has_name("кузнецовой")
    assert forgotten.has_name("bo ng")
    assert store.db.execute("SELECT count(DISTINCT account) FROM forgotten_names").fetchone()[0] == 1


def test_what_is_kept_of_the_names_of_the_forgotten_cannot_be_read(
    tmp_path: Path, store: Store, telegram_chat: Write, telegram_row: Row
) -> None:
    rows = [telegram_row(1, "Alice"), telegram_row(2, "Bob")]
    rows[1]["from"] = "Xanthippe Quill"
    import_paths(store, [telegram_chat(rows, to="g/result.json", type="private_group", id=5, name="Club")])
    store.forget(person_named(people(store.db), "Xanthippe Quill"))
    store.commit()
    left = b"".join(one.read_bytes() for one in (tmp_path / "data").iterdir())
    assert b"xanthippe" not in left.lower()


def test_known_people_are_those_of_the_store(store: Store, telegram_chat: Write, telegram_row: Row) -> None:
    rows = [telegram_row(1, "Alice"), telegram_row(2, "Bob")]
    import_paths(store, [telegram_chat(rows, to="g/result.json", type="private_group", id=5, name="Club")])
    exclude(store.db, person_named(people(store.db), "Bob"))
    assert [(one.names, one.excluded) for one in known_people(store.db)] == [(("Alice",), False), (("Bob",), True)]


def test_hidden_names_appear_nowhere() -> None:
    chance = random.Random(5)
    hidden = ["Мария Козлова", "Zoë Smithson", "Артём Рябов", "Ottilie Vance", "Роберт Дауни"]
    redactor = hiding(*hidden, shown=("Саша Иванова", "Alice Doe"))
    forms = """Марии марию Машей маша КОЗЛОВОЙ Козлову zoë ZOE zoes Smithson's Артёму тёма рябовым ottilie Vance
    роберта""".split()
    words = "и с про the and saw видел was где, ok! (так) «вот» 😭".split()
    for _ in range(500):
        text = " ".join(chance.choices(forms + words, k=9))
        redacted = redactor.redact(text).casefold()
        for stem in (
            "мари",
            "маш",
            "козлов",
            "zoë",
            "zoe",
            "smithson",
            "артём",
            "артем",
            "тём",
            "рябов",
            "ottilie",
            "vance",
            "роберт",
        ):
            assert not re.search(rf"(?<!\w){stem}", redacted), json.dumps([text, redacted], ensure_ascii=False)
