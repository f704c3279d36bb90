"""English cut into sentences and words the way spaCy does it, as CVCL's transcripts were.

Words follow the rules of spaCy's English tokeniser (spacy.io/usage/linguistic-features): "don't"
becomes do n't, "gonna" gon na, punctuation stands alone, and a hyphen between letters parts them.
All 2346 words of CVCL's published vocabulary come out as from spaCy 3.8. Left out are emoticons,
units behind numbers, addresses of web pages, and most abbreviations.

Sentences differ more: spaCy's parser guesses where a clause ends even without punctuation, which
takes its trained model; here a sentence ends at . ? or !, and at ... before a capital letter.
"""

import re
from string import ascii_lowercase

_QUOTES = "\"'“”‘’«»`"
_MARKS = r",:;!?¿¡()\[\]{}<>_#*&…"
_PREFIX = re.compile(rf"\.\.+|\+(?![0-9])|[{_MARKS}{_QUOTES}§%=—–$£€]")
_SUFFIX = re.compile(
    rf"\.\.+$|['’][sS]$|[{_MARKS}{_QUOTES}—–]$|(?<=[0-9])\+$|(?<=[0-9])[$£€%]$"
    rf"|(?<=[0-9a-zà-ÿ%\-+{_MARKS}{_QUOTES}])\.$|(?<=[A-ZÀ-Þ][A-ZÀ-Þ])\.$"
)
_INFIX = re.compile(
    r"\.\.+|…|(?<=[0-9])[+\-*^](?=[0-9-])"
    rf"|(?<=[a-zà-ÿ{_QUOTES}])\.(?=[A-ZÀ-Þ{_QUOTES}])"
    r"|(?<=[^\W\d_]),(?=[^\W\d_])"
    r"|(?<=[^\W\d_])(?:----|---|——|--|[-–—~])(?=[^\W\d_])"
    r"|(?<=[^\W_])[:<>=/](?=[^\W\d_])"
)
_CLOCK = re.compile(r"([0-9]|1[0-2])([ap]\.?m\.?)")

_WHO = ("i", "you", "he", "she", "it", "we", "they")
_WHAT = ("who", "what", "when", "where", "why", "how", "there", "that", "this", "these", "those")
_NOT = ("ca", "could", "do", "does", "did", "had", "may", "might", "must", "need", "ought", "sha")
_NOT += ("should", "wo", "would", "ai", "are", "is", "was", "were", "have", "has", "dare")
_ENDINGS = {  # of a word -> the words that take it
    "n't": _NOT,
    "'ll": _WHO + _WHAT,
    "'d": _WHO + _WHAT,
    "'ve": ("i", "you", "we", "they", "could", "might", "must", "should", "would", "not")
    + tuple(word for word in _WHAT if word not in ("that", "this")),
    "'re": ("you", "we", "they") + tuple(word for word in _WHAT if word not in ("that", "this")),
    "'s": ("he", "she", "it", "let") + tuple(w for w in _WHAT if w not in ("these", "those")),
    "'m": ("i",),
}
_WORDS = {"ill", "its", "hell", "shell", "shed", "well", "were", "lets"}  # without apostrophe
_WHOLE = ("'em", "'cause", "'cos", "'coz", "'cuz", "'bout", "'nuff", "'d", "'ll", "'re", "'s")
_WHOLE += ("o'clock", "ma'am", "ol'", "doin'", "goin'", "havin'", "lovin'", "nothin'", "nuthin'")
_WHOLE += ("somethin'", "and/or", "w/o", "a.m.", "p.m.", "e.g.", "i.e.", "vs.", "mr.", "mrs.")
_WHOLE += ("ms.", "dr.", "st.", "jr.", "prof.", *(f"{letter}." for letter in ascii_lowercase))


def _table() -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]]
    table = {word + end: (word, end) for end, words in _ENDINGS.items() for word in words}
    for have in [whole for whole in table if whole.endswith(("n't", "'ll", "'d"))]:
        table[have + "'ve"] = (*table[have], "'ve")
    bare = {w.replace("'", ""): tuple(p.replace("'", "") for p in ps) for w, ps in table.items()}
    table |= {word: parts for word, parts in bare.items() if word not in _WORDS}
    table |= {"gonna": ("gon", "na"), "gotta": ("got", "ta"), "cannot": ("can", "not")}
    table |= {"c'mon": ("c'm", "on"), "y'all": ("y'", "all"), "ima": ("i", "m", "a")}
    table |= {"i'ma": ("i", "'m", "a"), "yall": ("y", "all")}
    return table | {word: (word,) for word in _WHOLE}


_SPECIAL = _table()


def tokenize(text: str) -> list[str]:
    """The words and punctuation marks of a text, in their own case."""
    return [token for chunk in text.split() for token in _tokens(chunk)]


def sentences(text: str) -> list[list[str]]:
    """The tokens of every sentence; a text without any has no sentence."""
    done: list[list[str]] = []
    tokens = tokenize(text)
    current: list[str] = []
    for index, token in enumerate(tokens):
        current.append(token)
        if _ends(current, "".join(tokens[index + 1 : index + 2])):
            done.append(current)
            current = []
    return done + [current] if current else done


def _ends(current: list[str], following: str) -> bool:
    if following and following[0] in ".?!…)]}”’\"'" and not following[1:2].isalpha():
        return False  # still to come: more marks, or what closes
    marks = [token for token in current if token[0] not in ")]}”’\"'"]
    last = marks[-1] if marks else ""
    if last in (".", "?", "!"):
        return True
    return bool(re.fullmatch(r"\.\.+|…", last)) and following[:1].isupper()


def _tokens(chunk: str) -> list[str]:
    before: list[str] = []
    after: list[str] = []
    rest = chunk
    while rest and not _special(rest):
        prefix = _PREFIX.match(rest)
        start = prefix.end() if prefix else 0
        suffix = _SUFFIX.search(rest, start)
        end = suffix.start() if suffix else len(rest)
        if _special(rest[start:]):
            end = len(rest)
        elif _special(rest[:end]):  # 'cause! is no quotation
            start = 0
        if (start, end) == (0, len(rest)):
            break
        before += [rest[:start]] if start else []
        after += [rest[end:]] if end < len(rest) else []
        rest = rest[start:end]
    middle = (_special(rest) or _parted(rest)) if rest else []
    return before + middle + after[::-1]


def _special(chunk: str) -> list[str]:
    """The parts of a word that has its own rule, else nothing."""
    word = chunk.replace("’", "'")
    if clock := _CLOCK.fullmatch(word):
        return list(clock.groups())
    tail = word[2:] if word.startswith("'") else word[1:]
    parts = _SPECIAL.get(word.lower() if tail == tail.lower() else word, ())
    cut, start = [], 0
    for part in parts:
        cut.append(chunk[start : start + len(part)])
        start += len(part)
    return cut


def _parted(chunk: str) -> list[str]:
    parts, start = [], 0
    for infix in _INFIX.finditer(chunk):
        parts += [chunk[start : infix.start()], infix.group()]
        start = infix.end()
    return [part for part in [*parts, chunk[start:]] if part]
