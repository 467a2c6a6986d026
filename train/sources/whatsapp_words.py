"""What WhatsApp writes into text exports in place of a message, language by language.

Collected from exports in these languages; the exact words differ between versions of the app, so media are
recognised by the pair of a thing and its absence ("image" + "omitted") rather than by whole sentences.
Everything is compared in lower case without direction marks.
"""

import re

from train.messages import Kind

# English, German, French, Spanish, Italian, Portuguese, Russian, Dutch, Polish, Turkish, Ukrainian, Czech
# unless a line says otherwise.
_THINGS: dict[Kind, tuple[str, ...]] = {
    Kind.STICKER: (
        "sticker", "figurinha", "autocollant", "стикер", "наклейка", "naklejk", "çıkartma", "стікер",
        "наліпк",
        "nálepk", "samolepk",
    ),
    Kind.GIF: ("gif",),
    Kind.CONTACT: (
        "contact card", "kontaktkarte", "fiche contact", "tarjeta de contacto", "scheda contatto", "cartão d",
        "карточка контакта", "contactkaart", "karta kontaktu", "kişi kartı", "картка контакту",
        "karta kontaktu",
        "vizitka",
    ),
    Kind.VIDEO: ("video", "vidéo", "vídeo", "видео", "wideo", "відео"),
    Kind.AUDIO: ("audio", "áudio", "аудио", "dźwięk", "ses ", "аудіо", "zvuk"),
    Kind.PHOTO: (
        "image", "photo", "bild", "foto", "imagen", "immagine", "imagem", "изображение", "фото", "afbeelding",
        "grafik", "obraz", "zdjęci", "görüntü", "resim", "fotoğraf", "зображення", "obráz",
    ),
    Kind.FILE: ("document", "dokument", "documento", "документ", "belge", "dosya"),
}  # fmt: skip
_ABSENT = (
    "omitted", "weggelassen", "ausgelassen", "absent", "omis", "retiré", "manquant", "non inclus", "omitid",
    "omess", "esclus", "ocult", "отсутству", "опущен", "пропущен", "weggelaten", "pominięt", "dahil edilmedi",
    "atland", "atlanmış", "відсутн", "vynech",
)  # fmt: skip
# <Media omitted>, <Medien ausgeschlossen>, <Médias omis>, <Multimedia omitido>, <Media omessi>,
# <Mídia oculta>, <Ficheiro não revelado>, <Без медиафайлов>, <Media weggelaten>, <pominięto multimedia>,
# <Medya dahil edilmedi>, <Без медіафайлів>, <Média vynechána>.
_MEDIA_STEMS = ("media", "medien", "médi", "mídia", "медиа", "medya", "медіа", "arquivo", "ficheiro")

_DELETED_BY_YOU = frozenset({
    "you deleted this message", "du hast diese nachricht gelöscht", "vous avez supprimé ce message",
    "eliminaste este mensaje", "has eliminado este mensaje", "hai eliminato questo messaggio",
    "você apagou esta mensagem", "apagou esta mensagem", "вы удалили данное сообщение",
    "вы удалили это сообщение", "u hebt dit bericht verwijderd", "je hebt dit bericht verwijderd",
    "usunięto tę wiadomość", "ta wiadomość została usunięta przez ciebie", "bu mesajı sildiniz",
    "ви видалили це повідомлення", "tuto zprávu jste smazali", "odstranili jste tuto zprávu",
    "smazali jste tuto zprávu",
})  # fmt: skip
_DELETED = frozenset({
    "this message was deleted", "diese nachricht wurde gelöscht", "ce message a été supprimé",
    "se eliminó este mensaje", "este mensaje fue eliminado", "questo messaggio è stato eliminato",
    "mensagem apagada", "esta mensagem foi apagada", "данное сообщение удалено", "это сообщение удалено",
    "сообщение удалено", "dit bericht is verwijderd", "ta wiadomość została usunięta", "wiadomość usunięta",
    "bu mesaj silindi", "це повідомлення видалено", "повідомлення видалено", "tato zpráva byla smazána",
    "tato zpráva byla odstraněna", "zpráva byla smazána",
})  # fmt: skip
_EDITED = frozenset({
    "this message was edited", "diese nachricht wurde bearbeitet", "ce message a été modifié",
    "se editó este mensaje", "questo messaggio è stato modificato", "mensagem editada",
    "esta mensagem foi editada", "сообщение изменено", "данное сообщение изменено", "dit bericht is bewerkt",
    "bericht bewerkt", "ta wiadomość została edytowana", "wiadomość edytowana", "edytowano tę wiadomość",
    "bu mesaj düzenlendi", "це повідомлення змінено", "повідомлення змінено", "tato zpráva byla upravena",
    "zpráva byla upravena",
})  # fmt: skip
_CALLS = (
    "missed voice call", "missed video call", "voice call", "video call", "verpasster sprachanruf",
    "verpasster videoanruf", "sprachanruf", "videoanruf", "appel vocal", "appel vidéo", "llamada perdida",
    "llamada de voz", "videollamada", "chiamata vocale", "videochiamata", "chamada de voz",
    "chamada de vídeo",
    "ligação de voz", "пропущенный", "аудиозвонок", "видеозвонок", "gemiste spraakoproep", "spraakoproep",
    "video-oproep", "nieodebrane połączenie", "połączenie", "cevapsız", "sesli arama", "görüntülü arama",
    "пропущений", "аудіодзвінок", "відеодзвінок", "zmeškaný", "hlasový hovor", "videohovor",
)  # fmt: skip
# "You created group", and so on: only a group has one.
_GROUP_STEMS = ("group", "gruppe", "groupe", "grupo", "gruppo", "групп", "groep", "grup", "груп", "skupin")
# What stands between "WhatsApp" and the chat's name in the name of the file, the archive or its folder.
_FILE_NAME = re.compile(
    r"^(?:whatsapp[ -]?(?:chat|sohbeti|konverzace)|chat (?:de |do |con )?whatsapp|discussion whatsapp"
    r"|conversa do whatsapp|conversación de whatsapp|чат whatsapp|czat whatsapp|чат у whatsapp)"
    r"\s*(?:-|with|mit|avec|con|com|с|met|z|з|s|ile)\s+(?P<name>.+?)(?:\s*\(\d+\))?$",
    re.IGNORECASE,
)

_ATTACHED_IOS = re.compile(r"\A<[^<>:]{2,30}: (?P<file>[^<>]+\.\w{2,5})>(?:\n|\Z)")
_ATTACHED_ANDROID = re.compile(r"\A(?P<file>\S[^\n]*\.\w{2,5}) \((?P<words>[^()\n]{4,30})\)(?:\n|\Z)")
# (file attached) in each language; a stem of its words.
_ATTACHED_WORDS = (
    "attached", "angehängt", "joint", "adjunto", "allegat", "anexad", "добавлен", "bijgevoegd", "załączon",
    "ekli", "додан", "přilož",
)  # fmt: skip
_POLL = re.compile(
    r"\A(?:poll|umfrage|sondage|encuesta|sondaggio|enquete|sondagem|опрос|peiling|ankieta|anket|опитування|anketa)"
    r":\s*\n(?P<question>[^\n]*)",
    re.IGNORECASE,
)
_LOCATION = re.compile(r"\A[^:\n]{3,30}: https://maps\.google\.com/\?q=\S+\Z")
_BY_NAME = (("-photo-", Kind.PHOTO), ("-video-", Kind.VIDEO), ("-audio-", Kind.VOICE), ("-gif-", Kind.GIF))
_BY_PREFIX = {
    "img-": Kind.PHOTO,
    "vid-": Kind.VIDEO,
    "ptt-": Kind.VOICE,
    "aud-": Kind.AUDIO,
    "stk-": Kind.STICKER,
}
_BY_SUFFIX = {
    "jpg": Kind.PHOTO, "jpeg": Kind.PHOTO, "png": Kind.PHOTO, "heic": Kind.PHOTO, "webp": Kind.STICKER,
    "mp4": Kind.VIDEO, "mov": Kind.VIDEO, "3gp": Kind.VIDEO, "opus": Kind.VOICE, "ogg": Kind.VOICE,
    "m4a": Kind.AUDIO, "mp3": Kind.AUDIO, "gif": Kind.GIF, "vcf": Kind.CONTACT,
}  # fmt: skip


def _plain(text: str) -> str:
    return text.strip().rstrip(".").strip().lower()


def omitted_kind(text: str) -> Kind | None:
    """Return what an iOS placeholder such as "image omitted" stands for; None when it is no placeholder."""
    words = f"{_plain(text)} "
    if len(words) > 60 or not any(stem in words for stem in _ABSENT):
        return None
    return next((kind for kind, stems in _THINGS.items() if any(stem in words for stem in stems)), None)


def is_media_omitted(text: str) -> bool:
    """Return whether a whole Android message is `<Media omitted>` in some language."""
    words = text.strip().lower()
    if not (words.startswith("<") and words.endswith(">") and 4 < len(words) < 45 and "\n" not in words):
        return False
    return not re.search(r"[\d<>/=]", words[1:-1]) and any(stem in words for stem in _MEDIA_STEMS)


def attached(text: str) -> tuple[Kind, str] | None:
    """Return the kind of the file a message was exported with and its caption; None when there is no file."""
    found = _ATTACHED_IOS.match(text)
    if found is None:
        found = _ATTACHED_ANDROID.match(text)
        if found is None or not any(stem in found["words"].lower() for stem in _ATTACHED_WORDS):
            return None
    return _kind_of_file(found["file"].lower()), text[found.end() :]


def _kind_of_file(name: str) -> Kind:
    for mark, kind in _BY_NAME:
        if mark in name:
            return kind
    if name[:4] in _BY_PREFIX:
        return _BY_PREFIX[name[:4]]
    return _BY_SUFFIX.get(name.rpartition(".")[2], Kind.FILE)


def is_deleted(text: str) -> bool:
    """Return whether the text is the mark a deleted message leaves."""
    return _plain(text) in _DELETED or is_deleted_by_you(text)


def is_deleted_by_you(text: str) -> bool:
    """Return whether the text is the mark that only the owner's own deleted messages leave."""
    return _plain(text) in _DELETED_BY_YOU


def without_edit_mark(text: str) -> tuple[str, bool]:
    """Return the text without "<This message was edited>" at its end, and whether it was there."""
    head, bracket, tail = text.rpartition("<")
    if bracket and tail.rstrip().endswith(">") and _plain(tail.rstrip()[:-1]) in _EDITED:
        return head.rstrip(), True
    return text, False


def is_call(text: str) -> bool:
    """Return whether a line written by the app is about a call."""
    return any(word in text.lower() for word in _CALLS)


def names_group(text: str) -> bool:
    """Return whether a line written by the app speaks of a group."""
    return any(stem in text.lower() for stem in _GROUP_STEMS)


def poll_question(text: str) -> str | None:
    """Return the question of a poll, None when the text is none."""
    found = _POLL.match(text)
    return found["question"].strip() if found else None


def is_location(text: str) -> bool:
    """Return whether the text is a shared location: a word, and a link to the map."""
    return _LOCATION.match(text) is not None


def chat_name(stem: str) -> str | None:
    """Return the chat's name from a file name without its ending ("WhatsApp Chat with Bob"),
    if it has one."""
    found = _FILE_NAME.match(stem.strip())
    if found:
        return found["name"].strip()
    turkish = re.match(r"^(?P<name>.+) ile WhatsApp Sohbeti$", stem.strip(), re.IGNORECASE)
    return turkish["name"].strip() if turkish else None
