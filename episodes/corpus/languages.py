"""Which languages some texts are in: a guess from their letters and their commonest words.

It is meant for a glance at a dataset. Short texts without such words ("pick cube") are counted as
not recognised rather than guessed at; so is a text whose words belong equally to two languages.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np

UNKNOWN = "not recognised"
_LOOKED_AT = 10_000  # texts; of more, as many are taken evenly
_WORDS = {
    "English": "the a an and of to in on is are with it from into at this that up you i",
    "German": "der die das und ist ein eine einen den dem mit auf von zu nicht im es ich du",
    "French": "le la les des et est un une dans du au aux avec sur pour ce il elle je",
    "Spanish": "el la los las de y es un una en con del por para que lo se al",
    "Italian": "il lo la gli le di e è un una in con del della nel nella sul per che al",
    "Portuguese": "o a os as de e é um uma em com do da no na para que se ao",
    "Dutch": "de het een en van is op met in te niet dat ik je naar",
}
_COMMON = {language: frozenset(words.split()) for language, words in _WORDS.items()}
_SCRIPTS = {"HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean"}


def languages(texts: Sequence[str]) -> dict[str, int]:
    """How many of the texts (at most 10,000 of them) seem to be in each language."""
    count = min(len(texts), _LOOKED_AT)
    chosen = np.linspace(0, len(texts) - 1, count).astype(int)
    found = (texts[int(index)] for index in chosen)
    return dict(Counter(guess(text) for text in found if text.strip()).most_common())


def guess(text: str) -> str:
    """A language, a script that several languages share, or "not recognised"."""
    scripts = Counter(
        unicodedata.name(letter, "").partition(" ")[0] for letter in text if letter.isalpha()
    )
    for script, language in _SCRIPTS.items():
        if script in scripts:
            return language
    if scripts and (script := scripts.most_common(1)[0][0]) != "LATIN":
        return f"{'Han' if script == 'CJK' else script.capitalize()} script" if script else UNKNOWN
    words = re.findall(r"\w+", text.lower())
    hits = {name: sum(word in common for word in words) for name, common in _COMMON.items()}
    most = max(hits.values())
    best = [language for language, count in hits.items() if count == most]
    return best[0] if most and len(best) == 1 else UNKNOWN
