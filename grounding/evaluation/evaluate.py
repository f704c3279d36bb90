"""Measures studies: every model on every test set, one model after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from firsthand.common.errors import UserError
from firsthand.grounding.evaluation.clip_baseline import ClipScorer
from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.metrics import Figures, PictureSet, measure
from firsthand.grounding.evaluation.stitching import as_markdown, measure_stitching, plain
from firsthand.grounding.evaluation.test_sets import TestSet, find_test_sets, labelled_pictures
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.report import tables
from firsthand.grounding.report.report import GroundingReport, Section, TableRow
from firsthand.grounding.report.sections import Measured, measure_parts, parts_of
from firsthand.grounding.study import Member, Study, read_studies, variant_label

Notice = Callable[[str, int, int], None]  # who looks at pictures, how many are done, of how many


@dataclass(frozen=True)
class Evaluation:
    """What was found; and of the model that is shown in pictures where it is, what it sees, and
    what it chose in trials of other kinds."""

    report: GroundingReport
    model: str
    scene: PictureSet | None
    parts: Measured


def evaluate(
    studies: Sequence[Study], config: GroundEvalConfig, notice: Notice | None = None
) -> Evaluation:
    """The first study in full; of all of them accuracy against alignment.

    Raises:
        UserError: a study has no corpus, a model, trial file or picture is missing or malformed.
    """
    study = studies[0]
    root = _root(study)
    sets = find_test_sets(root, config)
    labelled = labelled_pictures(root)
    asked = {word for test_set in sets.values() if not test_set.shrunk for word in test_set.words}
    if labelled and (missing := sorted(asked - labelled.keys())):
        print(f"{root / 'eval/dev'}: no picture of {', '.join(missing)}; probes are asked without")
    found: dict[str, list[Figures]] = {variant: [] for variant in study.variants}
    parts: dict[str, list[Measured]] = {variant: [] for variant in study.variants}
    for member in study.members:
        model = load_model(member.path)
        found[member.variant].append(
            measure(
                model,
                sets,
                labelled,
                config,
                seed=member.seed,
                layers=member.variant == study.main,
                tell=_tell(notice, _name(member)),
            )
        )
        parts[member.variant].append(measure_parts(model, root, config))
    main = found[study.main]
    others = [_briefly(other, config, notice) for other in studies[1:]]
    rows = tables.rows(study, found)
    if config.clip:
        rows.append(_clip(config, sets, main[0], notice))
    first = next(iter(main[0].choices))
    report = GroundingReport(
        study=study.name,
        root=str(root),
        alignment=study.alignment,
        main=study.main,
        seeds=len(main),
        sets=tables.facts(sets, main[0]),
        rows=tuple(rows),
        probes=tables.probes(found),
        exchange=tables.exchange(root, main, first),
        ranks=tables.ranks(main, first),
        retrieval=tables.retrieval(found),
        concepts=tables.concepts(found),
        layers=tables.layers(main),
        curve=tables.curve([(study, found), *others]) if others else (),
        parts=(*parts_of(parts), *_stitched(study, root, config)),
    )
    return Evaluation(report, study.shown.path, main[0].scene, parts[study.main][0])


def load_model(source: str) -> GroundingModel:
    """On the GPU if there is one."""
    try:
        model = GroundingModel.from_pretrained(source)
    except ValueError as error:
        raise UserError(str(error)) from error
    values = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    if bad := [name for name, value in values.items() if not value.isfinite().all()]:
        raise UserError(
            f"{source}: {len(bad)} of its tables of weights hold NaN or infinity ({bad[0]}): it "
            "has diverged; take an earlier checkpoint, or train with a lower learning rate"
        )
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def _root(study: Study) -> Path:
    if study.root is None:
        raise UserError(f"{study.name} does not say what it learned from: write root=CORPUS")
    return study.root


def _briefly(
    study: Study, config: GroundEvalConfig, notice: Notice | None
) -> tuple[Study, dict[str, list[Figures]]]:
    """A study's accuracy alone."""
    sets = find_test_sets(_root(study), config)
    found: dict[str, list[Figures]] = {variant: [] for variant in study.variants}
    for member in study.members:
        tell = _tell(notice, f"{study.name}: {_name(member)}")
        figures = measure(load_model(member.path), sets, {}, config, briefly=True, tell=tell)
        found[member.variant].append(figures)
    return study, found


def _name(member: Member) -> str:
    return f"{variant_label(member.variant)}, seed {member.seed}"


def _tell(notice: Notice | None, name: str) -> Callable[[int, int], None] | None:
    return None if notice is None else lambda done, total: notice(name, done, total)


def _clip(
    config: GroundEvalConfig, sets: Mapping[str, TestSet], main: Figures, notice: Notice | None
) -> TableRow:
    """CLIP in the trials that the models are asked, by the categories' own names."""
    clip, chosen = ClipScorer(config.clip), {}
    for name in main.choices:
        known = sets[name].asking(tuple(main.called))
        assert known is not None
        judge = clip.judge(known, known.words, _tell(notice, f"CLIP, {known.title}"))
        if (choices := judge.choose(known)) is not None:
            chosen[name] = choices
    return TableRow.of("CLIP", [chosen])


def _stitched(study: Study, root: Path, config: GroundEvalConfig) -> tuple[Section, ...]:
    """The first model of the study and the one that is to be stitched to it."""
    if not config.stitched:
        return ()
    (other,) = read_studies([config.stitched], config.checkpoint)
    first, second = study.shown.path, other.shown.path
    models = {"the model": load_model(first), "the other": load_model(second)}
    found = measure_stitching(models, root, config)
    says = (
        f"`{first}` and, as the other, `{second}`. An affine map takes what one makes "
        "of held-out frames to where the other sees the same frames, or hears what was said of "
        "them; in brackets 95 % intervals over trials; left is what remains, above chance, of the "
        "accuracy that a model has with its own eyes."
    )
    text, values = as_markdown(found), {"stitches": plain(found)}
    return (
        Section("Do one model's eyes do in the other's place?", says, text=text, values=values),
    )
