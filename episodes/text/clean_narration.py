"""What narrators of first-person video write, made plain, and which of it to use.

Ego4D's narrators mark who acts and what they could not make out (its annotation guidelines):
`#C C picks up a #unsure` says that C, who wears the camera, picks up something; `#O A man X turns`
is about another person, and `#summary` tells a whole video.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from firsthand.common.errors import UserError

Subject = Literal["wearer", "other", "summary", ""]

_TAG = re.compile(r"#\s*([A-Za-z]+)")
# Some marks lack the space behind them (#unsurefrom, #OOpoints), name who acts twice (#CC), or are
# misspelt (#Unssure, #unknown): of those that narrators use, only #unsure begins with a u.
_UNSURE = re.compile(r"(unsure)(?:d$)?(.*)", re.IGNORECASE)
_TWICE = re.compile("CC|OO|cc|oo|cC|oO|Cc|Oo")
_GLUED = re.compile("(CC|OO)([a-z]{2,})")
_SUBJECTS: dict[str, Subject] = {"c": "wearer", "o": "other", "summary": "summary"}
_PERSON = r"(man|men|woman|women|lady|boy|girl|child|kid|baby|guy|person|people|friend|player)"
_LETTERED = re.compile(rf"\b{_PERSON} [A-Z]\b", re.IGNORECASE)
_ACTOR = re.compile(rf"^(?:(?:the|a|an|another|some)\s+)?(?:\w+\s+)??{_PERSON}\b\s*", re.IGNORECASE)
_HAND = re.compile(r"\b(hands?|palms?|fingers?|fist)\b", re.IGNORECASE)
_BOTH = re.compile(r"\b(both|two)( of)?( h(is|er)| the(ir)?)?( hands| palms)\b", re.IGNORECASE)
_LEFT = re.compile(r"\bleft (hand|palm|fingers?)\b", re.IGNORECASE)
_RIGHT = re.compile(r"\bright (hand|palm|fingers?)\b", re.IGNORECASE)
_IRREGULAR = {"is": "be", "are": "be", "has": "have", "does": "do", "goes": "go"}
_DOUBLED = ("sses", "shes", "ches", "xes", "zzes")  # endings that take -es


@dataclass(frozen=True)
class Sentence:
    """A narration without its marks: what is said, of whom, and whether something was unclear."""

    text: str
    subject: Subject
    unsure: bool


def clean(narration: str) -> Sentence:
    """`#C C  picks up a knife.` becomes "picks up a knife" of the wearer.

    Marks are known in either case and with spaces around; a letter that tells people apart
    ("a man X") and final full stops and commas are dropped. What was unclear becomes "something".
    """
    marks: list[str] = []

    def taken(found: re.Match[str]) -> str:
        """What a mark leaves in the text."""
        mark, rest = _parted(found[1])
        marks.append(mark)
        return f" something {rest}" if mark == "unsure" and found.start() else f" {rest}"

    text = " ".join(_TAG.sub(taken, narration.strip()).split())
    subjects: list[Subject] = [_SUBJECTS[mark] for mark in marks if mark in _SUBJECTS]
    subject = subjects[0] if subjects else ""
    if subject in ("wearer", "summary"):
        text = re.sub(r"^(?:- )?[Cc]\b(?![-'])[,:]?\s*", "", text)
    text = _LETTERED.sub(r"\1", text)
    text = text.rstrip(" .,;:").strip()
    return Sentence(text, subject, "unsure" in marks)


def _parted(word: str) -> tuple[str, str]:
    """A mark in lower case, and what was written behind it without a space."""
    if unsure := _UNSURE.fullmatch(word):
        return "unsure", unsure[2]
    if _TWICE.fullmatch(word):
        return word[0].lower(), ""
    if glued := _GLUED.fullmatch(word):
        return glued[1][0].lower(), glued[2]
    return "unsure" if word[0] in "uU" else word.lower(), ""


def verb_of(text: str, subject: Subject = "wearer") -> str:
    """The first verb after the subject, in its basic form: "pick" of "picks up a knife".

    A cleaned sentence about the wearer starts with its verb, and one about others names them
    first. There is no grammar behind this: an adverb before the verb is taken for it.
    """
    if subject == "other":
        text = _ACTOR.sub("", text, count=1)
    words = text.split()
    return basic_form(words[0].strip(",;:.")) if words else ""


def basic_form(verb: str) -> str:
    """The form without the third person's -s: picks, washes, carries -> pick, wash, carry."""
    verb = verb.lower()
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb.endswith("ies") and len(verb) > 4:
        return verb[:-3] + "y"
    if verb.endswith(_DOUBLED):
        return verb[:-2]
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") and len(verb) > 2 else verb


def hands_in(text: str) -> int:
    """How many hands a sentence speaks of: 2 for both, 1 for any hand or finger, else 0."""
    if _BOTH.search(text) or (_LEFT.search(text) and _RIGHT.search(text)):
        return 2
    return 1 if _HAND.search(text) else 0


@dataclass(frozen=True, kw_only=True)
class NarrationFilter:
    """Which narrations to use."""

    fewest_words: int = 1
    """Words that a cleaned sentence has at least."""
    most_words: int = 0
    """Words that a cleaned sentence has at most; 0 for no limit."""
    verbs: tuple[str, ...] = ()
    """Use only these, in their basic form (pick, put, wash); () for all."""
    hands: Literal["any", "mentioned", "both"] = "any"
    """`mentioned` for sentences that speak of a hand, `both` of two."""

    def check_filter(self) -> None:
        """Raise `UserError` if nothing could pass."""
        if self.fewest_words < 0 or 0 != self.most_words < self.fewest_words:
            raise UserError(
                "sentences need 0 <= fewest_words <= most_words, "
                f"not {self.fewest_words} and {self.most_words}"
            )

    def accepts(self, sentence: Sentence, verb: str = "") -> bool:
        """Whether to use a sentence. `verb` is its verb, if the dataset tells."""
        words = len(sentence.text.split())
        return (
            max(1, self.fewest_words) <= words <= (self.most_words or words)
            and (not self.verbs or (verb or verb_of(*_parts(sentence))) in self.verbs)
            and hands_in(sentence.text) >= ("any", "mentioned", "both").index(self.hands)
        )


def _parts(sentence: Sentence) -> tuple[str, Subject]:
    return sentence.text, sentence.subject


T = TypeVar("T")


def without_repeats(
    sentences: Iterable[T], text: Callable[[T], str], time: Callable[[T], float], apart: float
) -> Sequence[T]:
    """What is said in the order of time, without what was said less than `apart` seconds before.

    (Two narrators describe each video of Ego4D, often in the same words.)
    """
    kept, last = [], {}
    for one in sorted(sentences, key=lambda one: (time(one), text(one))):
        words = text(one).lower()
        if words not in last or time(one) - last[words] >= apart:
            kept.append(one)
            last[words] = time(one)
    return kept
