"""Trials of verbs and of word order: each kind has a section of its own in the report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.forced_choice import Choices
from firsthand.grounding.evaluation.verbs import measure_verbs
from firsthand.grounding.evaluation.word_order import measure_word_order
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.report.report import Section, TableRow
from firsthand.grounding.study import variant_label

VERBS = "What is being done?"
Measured = Mapping[str, Mapping[str, Choices]]  # kind of trials -> file -> choices


@dataclass(frozen=True)
class SectionKind:
    """A kind of trials. measure: a model's choices, by those trial files that the corpus has."""

    title: str
    says: str
    columns: Mapping[str, str]
    measure: Callable[[GroundingModel, Path, GroundEvalConfig], Mapping[str, Choices]]


KINDS = (
    SectionKind(
        VERBS,
        "Clips of different deeds with the same thing; a model of single pictures sees one of "
        "each, at a moment drawn at random.",
        {"eval_verbs.json": "verbs", "eval_verbs_reversed.json": "a verb and it backwards"},
        lambda model, root, config: measure_verbs(
            model, root, ends=config.ends, links=config.links
        ),
    ),
    SectionKind(
        "Is the order of words heard?",
        "Two pictures and two utterances of the same words in another order: which utterance is "
        "true of a picture, and of which picture an utterance is true. Whoever hears no order gets "
        "a half in every trial.",
        {"text": "utterances", "image": "pictures"},
        lambda model, root, config: measure_word_order(model, root, links=config.links),
    ),
)


def measure_sections(model: GroundingModel, root: Path, config: GroundEvalConfig) -> Measured:
    """A model's choices in trials of all kinds."""
    return {kind.title: kind.measure(model, root, config) for kind in KINDS}


def sections_of(found: Mapping[str, Sequence[Measured]]) -> tuple[Section, ...]:
    """A section for each kind of trials in the corpus, from the choices of all models."""
    sections = []
    for kind in KINDS:
        rows = [
            TableRow.of(variant_label(variant), [one[kind.title] for one in models])
            for variant, models in found.items()
        ]
        chance = {
            name: choices.chance
            for models in found.values()
            for one in models
            for name, choices in one[kind.title].items()
        }
        if chance:
            columns = {name: kind.columns.get(name, name) for name in chance}
            sections.append(Section(kind.title, kind.says, columns, chance, tuple(rows)))
    return tuple(sections)
