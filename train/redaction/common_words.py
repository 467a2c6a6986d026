"""Words that people write without meaning a name or a password, even where somebody is called so."""

from importlib.resources import files

# Of other languages only those that are also first names or surnames. Russian ones are known by pymorphy3.
_OF_OTHER_LANGUAGES = """wolf klein groß gross lang kurz stark schwarz weiß weiss braun rot grün könig kaiser fuchs
    vogel berg stein winter sommer sonntag montag freitag herr frau lieber liebe schön jung alt neu frank ernst mark
    gold silber rose engel stern luna sol mar rey león leon blanco negro rubio moreno rojo verde flores torres paz luz
    cruz gloria dolores pilar mercedes consuelo rosa petit grand blanc noir roux leroy roi bois fontaine rose fleur
    clémence prudence aimée désirée rossi bianchi neri bruno fiore sole stella bella serena felice vita grazia santo
    costa leite lima pinto branco luz rocha silva ramos santos ist das der die und mit für von auf ein eine nicht auch
    noch hier dort falsch richtig neu es la el los las una con por para que está aquí mal bien le les des est pas ici
    faux non sono questo sbagliato"""

COMMON_WORDS = frozenset(
    files("train.redaction").joinpath("english_words.txt").read_text("utf-8").split() + _OF_OTHER_LANGUAGES.split()
)
"""Words without case. English: the most frequent ones of wordfreq that SCOWL's dictionary has in small letters."""
