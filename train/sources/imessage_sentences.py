"""Reactions in words: what a phone that knows no tapbacks is sent, in the language of the sender.

Such a text ("Loved “see you at eight”") quotes the whole message it is about. The wordings are those that people who
read such chats have written down; there are more languages than these. That a text is worded like one is not enough
to be one: somebody may write `Liked "the film"`. Whether the quoted message is there is for the caller to find out.
"""

import re

import msgspec

from train.messages import Kind

STICKER = "[sticker]"
"""What a sticker put on a message is called among its reactions."""

# A line a language; `{}` is the quoted text with its quotes. In the order English, German, French, Spanish,
# Portuguese, Norwegian, Polish, Russian, Czech, Hungarian, Vietnamese, Chinese, Bulgarian, where they are known.
_ADDED = {
    "❤️": (
        "Loved {}", "{} ein Herz hinzugefügt", "A adoré {}", "A attribué la mention « Adore » à {}", "Le encanta {}",
        "Le encantó {}", "Le ha encantado {}", "Amou {}", "Satte et hjerte ved {}", "Pokochał {}",
        "Очень понравилось {}", "Milovaný {}", "szívecske erre: {}", "Đã yêu thích {}", "對{}表達喜愛", "Харесано {}",
    ),
    "👍": (
        "Liked {}", "Gefällt: {}", "Gefällt {}", "A aimé {}", "Aimé {}", "A attribué la mention « J’aime » à {}",
        "Le gusta {}", "Le Gusta {}", "Le gustó {}", "Le ha gustado {}", "Curtiu {}", "Gostou de {}", "Likte {}",
        "Polubił {}", "Понравилось {}", "Líbilo se {}", "kedveli: {}", "Đã thích {}", "對{}按讚",
    ),
    "👎": (
        "Disliked {}", "Gefällt nicht: {}", "Gefällt nicht {}", "N’a pas aimé {}", "N’aime pas {}",
        "A attribué la mention « Je n’aime pas » à {}", "No le gusta {}", "No le gustó {}", "No le ha gustado {}",
        "Não curtiu {}", "Não gostou de {}", "Mislikte {}", "Znielubił {}", "Не понравилось {}", "Nelíbí se {}",
        "nem kedveli: {}", "Đã không thích {}", "對{}按倒讚",
    ),
    "😂": (
        "Laughed at {}", "{} ein Lachen hinzugefügt", "Lachte über {}", "A ri de {}", "A ri à {}", "A ri a {}",
        "Le dio risa {}", "Se rio de {}", "Se rió de {}", "Riu de {}", "Lo av {}", "Zaśmiał się z {}",
        "Посмеялись над {}", "Smál se {}", "nevetett rajta: {}", "Đã cười với {}", "對{}大笑",
    ),
    "‼️": (
        "Emphasized {}", "Emphasised {}", "{} ein Ausrufezeichen hinzugefügt", "Betonte {}", "A mis en évidence {}",
        "A souligné {}", "Exclamó por {}", "Enfatizó {}", "Enfatizou {}", "Satte utropstegn ved {}", "Podkreślił {}",
        "Отмечено {}", "Zdůrazněno {}", "kiemelte: {}", "Đã nhấn mạnh {}", "對{}加上驚嘆標記",
    ),
    "❓": (
        "Questioned {}", "{} ein Fragezeichen hinzugefügt", "A posé une question sur {}", "S’est interrogé sur {}",
        "S’est interrogée sur {}", "S’est interrogé(e) sur {}", "Dudó sobre {}", "Cuestionó {}", "Questionou {}",
        "Satte spørsmålstegn ved {}", "Zakwestionował {}", "Поставлен вопрос на {}", "Otázka {}", "kérdezte: {}",
        "Đã đặt dấu hỏi cho {}", "對{}加上問號標記",
    ),
    "": (
        "Reacted {e} to {}", "Hat mit {e} auf {} reagiert", "A réagi avec {e} à {}", "A réagi {e} à {}",
        "Reaccionó con {e} a {}", "Reagiu com {e} a {}", "Reagerte med {e} på {}", "Zareagował {e} na {}",
        "Эмодзи {e} на {}", "Reagoval {e} na {}", "{e} reagált erre: {}", "Đã phản ứng {e} với {}", "對{}做出 {e} 反應",
        "Реакция {e} към {}", "Reacted with a sticker to {}", "{e} to {}", "{e} zu {}", "{e} à {}", "{e} a {}",
    ),
}  # fmt: skip
_TAKEN_BACK = {
    "❤️": (
        "Removed a heart from {}", "Herz von {} entfernt", "A retiré un cœur de {}",
        "A retiré la mention « Adore » de {}", "A supprimé un cœur depuis {}", "Fjernet et hjerte fra {}",
        "Usunął serce z {}", "Сердечко удалено из {}", "Odstraněno srdce z {}", "szívecske eltávolítva erről: {}",
        "Đã bỏ tim khỏi {}", "已移除對{}的愛心",
    ),
    "👍": (
        "Removed a like from {}", "„Gefällt mir“ von {} entfernt", "A retiré un J’aime de {}",
        "A retiré la mention « J’aime » de {}", "A supprimé un « j’aime » depuis {}", "Liker ikke lenger {}",
        "Usunął polubienie z {}", "Лайк удален из {}", "Odebrán lajk z {}", "kedvelés eltávolítva erről: {}",
        "Đã bỏ thích khỏi {}", "已移除對{}的讚",
    ),
    "👎": (
        "Removed a dislike from {}", "„Gefällt mir nicht“ von {} entfernt",
        "A retiré la mention « Je n’aime pas » de {}",
        "A supprimé un « je n’aime pas » depuis {}", "Misliker ikke lenger {}", "Usunął znielubienie z {}",
        "Дизлайк удален из {}", "Odstraněno nelíbí se z {}", "nem kedvelés eltávolítva erről: {}",
        "Đã bỏ không thích khỏi {}", "已移除對{}的倒讚",
    ),
    "😂": (
        "Removed a laugh from {}", "Lachen von {} entfernt", "A supprimé un rire depuis {}", "Fjernet latter fra {}",
        "Usunął śmiech z {}", "Смех удален из {}", "nevetés eltávolítva erről: {}", "Đã bỏ phản ứng cười khỏi {}",
        "已移除對{}的笑臉反應",
    ),
    "‼️": (
        "Removed an exclamation from {}", "Removed an exclamation mark from {}", "Ausrufezeichen von {} entfernt",
        "A supprimé un point d’exclamation depuis {}", "Fjernet et utropstegn fra {}", "Usunął okrzyk z {}",
        "Восклицательный знак удален из {}", "kiemelés eltávolítva erről: {}", "Đã bỏ nhấn mạnh khỏi {}",
        "已移除對{}的驚嘆標記",
    ),
    "❓": (
        "Removed a question mark from {}", "Fragezeichen von {} entfernt",
        "A supprimé un point d’interrogation depuis {}", "Fjernet et spørsmålstegn fra {}",
        "Usunął znak zapytania z {}",
        "Вопросительный знак удален из {}", "Odstraněn otazník z {}", "kérdőjel eltávolítva erről: {}",
        "Đã bỏ dấu hỏi khỏi {}", "已移除對{}的問號標記",
    ),
    "": (
        "Removed {e} from {}", "{e} aus {} entfernt", "A retiré {e} de {}", "A retiré la réaction {e} de {}",
        "A retiré la réaction {e} à {}", "Fjernet {e} fra {}", "Usunął {e} z {}", "Удалено {e} из {}",
        "Odstraněno {e} z {}", "{e} eltávolítva innen: {}", "Đã xóa {e} khỏi {}", "已移除對{}的 {e} 反應",
        "Премахнато {e} от {}",
    ),
}  # fmt: skip
_PICTURES, _VIDEOS = frozenset({Kind.PHOTO, Kind.GIF}), frozenset({Kind.VIDEO})
_SOUNDS, _STICKERS = frozenset({Kind.VOICE, Kind.AUDIO}), frozenset({Kind.STICKER})
_ANYTHING = frozenset(Kind) - {Kind.TEXT, Kind.SERVICE, Kind.CALL, Kind.DELETED}
_MEDIA = (
    dict.fromkeys((
        "an image", "a photo", "a picture", "a GIF", "ein Bild", "ein Foto", "une image", "une photo", "una imagen",
        "una foto", "uma imagem", "uma foto", "et bilde",
    ), _PICTURES)
    | dict.fromkeys((
        "a movie", "a video", "einen Film", "ein Video", "une vidéo", "un vídeo", "un video", "um vídeo", "en film",
    ), _VIDEOS)
    | dict.fromkeys((
        "an audio message", "un message audio", "un mensaje de audio", "eine Audionachricht",
    ), _SOUNDS)
    | dict.fromkeys(("a sticker", "einen Sticker", "un autocollant", "un sticker"), _STICKERS)
    | dict.fromkeys((
        "an attachment", "a file", "einen Anhang", "eine Datei", "une pièce jointe", "un archivo adjunto", "um anexo",
        "et vedlegg",
    ), _ANYTHING)
)  # fmt: skip
_OPENING = re.compile('[“„«「"”]')
_CLOSING = '”“»」"'
_TRIES = 3
"""Some wordings have quotes of their own before the quoted text: this many opening ones are tried."""
_PLAIN = str.maketrans({"\u00a0": " ", "\u202f": " ", "'": "’"})
# Google's app says by invisible letters which part is the emoji and which the text, whatever the language.
_GOOGLE = re.compile(
    "\u200a[^\u200a-\u200c]*(?P<sign>[\u200b\u200c])(?P<emoji>[^\u200b\u200c]{1,16})(?P=sign)[^\u200a-\u200c]*"
    "\u200a(?P<quoted>.*)\u200a[^\u200a-\u200c]*\u200a",
    re.DOTALL,
)


def _wording(template: str) -> tuple[str, str]:
    before, _, after = template.translate(_PLAIN).partition("{}")
    return before.strip(), after.strip()


_WORDINGS = {
    _wording(template): (emoji, taken_back)
    for table, taken_back in ((_ADDED, False), (_TAKEN_BACK, True))
    for emoji, templates in table.items()
    for template in templates
}
_ENDS = frozenset(_CLOSING) | {after[-1] for _, after in _WORDINGS if after} | {"\u200a"}
_MEDIA_ENDS = tuple(f" {words}" for words in _MEDIA)
_MEDIA_CHARS = frozenset(words[-1] for words in _MEDIA)
_LONGEST_WITH_MEDIUM = 70


class Sentence(msgspec.Struct, frozen=True):
    """A text worded like a tapback: the reaction, what it is about, and whether it takes one back."""

    emoji: str
    quoted: str
    """The text of the message it is about; empty where that is a medium."""
    media: frozenset[Kind]
    """The kinds that the medium it is about may have; empty where it quotes a text."""
    taken_back: bool
    certain: bool
    """Whether nobody can have written it by hand."""


def sentence_of(text: str) -> Sentence | None:
    """Return the tapback that a text is worded like, or None. Quick for what does not end like one."""
    last = text[-1:]
    if last in _ENDS:
        if last == "\u200a":
            return _of_google(text)
        if (found := _quoting(text)) is not None:
            return found
    if last in _MEDIA_CHARS and len(text) < _LONGEST_WITH_MEDIUM and text.endswith(_MEDIA_ENDS):
        return _of_medium(text)
    return None


def _of_google(text: str) -> Sentence | None:
    found = _GOOGLE.fullmatch(text)
    if found is None:
        return None
    return Sentence(found["emoji"].strip(), found["quoted"].strip(), frozenset(), found["sign"] == "\u200c", True)


def _quoting(text: str) -> Sentence | None:
    end = max(map(text.rfind, _CLOSING))
    for number, opening in enumerate(_OPENING.finditer(text, 0, max(end, 0))):
        if number == _TRIES:
            break
        known = _meaning(text[: opening.start()], text[end + 1 :])
        quoted = text[opening.end() : end].strip()
        if known is not None and quoted:
            return Sentence(known[0], quoted, frozenset(), known[1], False)
    return None


def _of_medium(text: str) -> Sentence | None:
    medium = next(words for words in _MEDIA_ENDS if text.endswith(words))
    known = _meaning(text.removesuffix(medium), "")
    return None if known is None else Sentence(known[0], "", _MEDIA[medium[1:]], known[1], False)


def _meaning(before: str, after: str) -> tuple[str, bool] | None:
    """Return the emoji and whether it is taken back, by the words before and after the quoted text."""
    before, after = before.translate(_PLAIN).strip(), after.translate(_PLAIN).strip()
    known = _WORDINGS.get((before, after))
    if known is not None:
        return known[0] or STICKER, known[1]
    emoji = next((word for word in f"{before} {after}".split() if _is_emoji(word)), None)
    if emoji is None:
        return None
    known = _WORDINGS.get((before.replace(emoji, "{e}", 1), after.replace(emoji, "{e}", 1)))
    return None if known is None else (emoji, known[1])


def _is_emoji(word: str) -> bool:
    # A keycap is a digit with a frame; nothing else that is an emoji has letters, digits or ASCII in it.
    return len(word) <= 16 and (word[-1] == "\u20e3" or not any(one.isalnum() or one.isascii() for one in word))
