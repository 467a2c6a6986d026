"""What Messenger and Instagram write as if somebody had said it: reactions in words, shares, changes of the chat."""

import re


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("(?:" + "|".join(patterns) + r")\.?\s?", re.IGNORECASE)


REACTED = _any_of(
    r"(?:.{1,80} )?reacted .{1,12} to (?:your|a|their|his|her) message",
    r"(?:.{1,80} )?liked a message",
    r"hat mit .{1,12} auf deine nachricht reagiert",
    r"a réagi avec .{1,12} à votre message",
    r"reaccionó con .{1,12} a tu mensaje",
    r"ha reagito con .{1,12} al tuo messaggio",
    r"reagiu com .{1,12} à sua mensagem",
    r"heeft met .{1,12} op je bericht gereageerd",
)
"""A reaction in words. The reaction itself stands at its message."""

APP_LINE = _any_of(
    r".{1,80} sent an attachment",
    r".{1,80} sent a (?:photo|video|voice message|sticker|gif|location|link|live location)",
    r".{1,80} shared a (?:story|post|reel|link|location)",
    r".{1,80} (?:named the group|set the (?:nickname|quick reaction|emoji)|voted for|created a poll)\b.*",
    r".{1,80} changed the (?:theme|group photo|chat theme|quick reaction)\b.*",
    r".{1,80} set (?:your|his|her|their|.{1,80}'s) nickname\b.*",
    r".{1,80} (?:created (?:the|this) group|left the group|(?:unsent|pinned|unpinned) a message)",
    r".{1,80} (?:added .{1,200} to|removed .{1,200} from) the group",
    r".{1,80} (?:started a (?:call|video chat|video call)|joined the (?:call|video chat|video call))",
    r".{1,80} missed (?:a|your) (?:call|video chat|video call)\b.*",
    r".{1,80} hat einen anhang gesendet",
    r".{1,80} a envoyé une pièce jointe",
    r".{1,80} envió un archivo adjunto",
    r".{1,80} ha inviato un allegato",
    r".{1,80} enviou um anexo",
    r".{1,80} heeft een bijlage verzonden",
    r"you missed a (?:call|video chat|video call)\b.*",
    r"you are now connected on messenger|you can now message and call each other\b.*|say hi to your new .*",
    r"the (?:video chat|call|video call) ended|this poll is no longer available",
)
"""A line of the app under somebody's name: about an attachment, a call, or the chat."""
