"""Evaluates studies: every model on every test set, one model after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from firsthand.common.errors import UserError
from firsthand.grounding.evaluation.clip_baseline import ClipScorer
from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.metrics import ImageSet, ModelMetrics, measure
from firsthand.grounding.evaluation.stitching import as_json, as_markdown, measure_stitching
from firsthand.grounding.evaluation.test_sets import TestSet, find_test_sets, labelled_images
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.report import tables
from firsthand.grounding.report.report import GroundingReport, Section, TableRow
from firsthand.grounding.report.sections import Measured, measure_sections, sections_of
from firsthand.grounding.study import Member, Study, read_studies, variant_label

ReportProgress = Callable[[str, int, int], None]  # a model, its images done, of how many


@dataclass(frozen=True)
class Evaluation:
    report: GroundingReport
    model: str
    """Where the model is saved that figures are drawn of: the main variant's first."""
    scene: ImageSet | None
    """Images of the first test set, encoded by it; None if it knows none of the words."""
    parts: Measured
    """Its choices in trials of other kinds."""


def evaluate(
    studies: Sequence[Study],
    config: GroundEvalConfig,
    report_progress: ReportProgress | None = None,
) -> Evaluation:
    """Evaluate the first study in full; of all studies accuracy against alignment.

    Raises:
        UserError: a study has no corpus; a model, trial file or image is missing or malformed.
    """
    study = studies[0]
    root = _root(study)
    sets = find_test_sets(root, config)
    labelled = labelled_images(root)
    words = {word for one in sets.values() if not one.shrunk for word in one.words}
    if labelled and (missing := sorted(words - labelled.keys())):
        print(f"{root / 'eval/dev'}: no picture of {', '.join(missing)}; probes are asked without")
    found: dict[str, list[ModelMetrics]] = {variant: [] for variant in study.variants}
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
                progress=_progress_of(report_progress, _name(member)),
            )
        )
        parts[member.variant].append(measure_sections(model, root, config))
    main = found[study.main]
    others = [_accuracies(other, config, report_progress) for other in studies[1:]]
    rows = tables.rows(study, found)
    if config.clip:
        rows.append(_clip_row(config, sets, main[0], report_progress))
    first = next(iter(main[0].choices))
    report = GroundingReport(
        study=study.name,
        root=str(root),
        alignment=study.alignment,
        main=study.main,
        seeds=len(main),
        sets=tables.set_facts(sets, main[0]),
        rows=tuple(rows),
        probes=tables.probes(found),
        exchange=tables.exchange(root, main, first),
        ranks=tables.ranks(main, first),
        retrieval=tables.retrieval(found),
        concepts=tables.concepts(found),
        layers=tables.layers(main),
        curve=tables.curve([(study, found), *others]) if others else (),
        parts=(*sections_of(parts), *_stitched(study, root, config)),
    )
    return Evaluation(report, study.main_model.path, main[0].scene, parts[study.main][0])


def load_model(source: str) -> GroundingModel:
    """A saved model, on the GPU if there is one.

    Raises:
        UserError: it cannot be loaded, or holds NaN or infinity.
    """
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


def _accuracies(
    study: Study, config: GroundEvalConfig, report_progress: ReportProgress | None
) -> tuple[Study, dict[str, list[ModelMetrics]]]:
    """The accuracies of a study's models, without other metrics."""
    sets = find_test_sets(_root(study), config)
    found: dict[str, list[ModelMetrics]] = {variant: [] for variant in study.variants}
    for member in study.members:
        progress = _progress_of(report_progress, f"{study.name}: {_name(member)}")
        metrics = measure(
            load_model(member.path), sets, {}, config, accuracy_only=True, progress=progress
        )
        found[member.variant].append(metrics)
    return study, found


def _name(member: Member) -> str:
    return f"{variant_label(member.variant)}, seed {member.seed}"


def _progress_of(
    report_progress: ReportProgress | None, name: str
) -> Callable[[int, int], None] | None:
    return (
        None if report_progress is None else lambda done, total: report_progress(name, done, total)
    )


def _clip_row(
    config: GroundEvalConfig,
    sets: Mapping[str, TestSet],
    main: ModelMetrics,
    report_progress: ReportProgress | None,
) -> TableRow:
    """CLIP in the trials of the models, by the categories' own names."""
    clip, chosen = ClipScorer(config.clip), {}
    for name in main.choices:
        known = sets[name].with_words(tuple(main.called))
        assert known is not None
        scorer = clip.score(
            known, known.words, _progress_of(report_progress, f"CLIP, {known.title}")
        )
        if (choices := scorer.choose(known)) is not None:
            chosen[name] = choices
    return TableRow.of("CLIP", [chosen])


def _stitched(study: Study, root: Path, config: GroundEvalConfig) -> tuple[Section, ...]:
    """The section on stitching: the study's main model and the configured second one."""
    if not config.stitched:
        return ()
    (other,) = read_studies([config.stitched], config.checkpoint)
    first, second = study.main_model.path, other.main_model.path
    models = {"the model": load_model(first), "the other": load_model(second)}
    found = measure_stitching(models, root, config)
    says = (
        f"`{first}` and, as the other, `{second}`. An affine map takes what one makes "
        "of held-out frames to where the other sees the same frames, or hears what was said of "
        "them; in brackets 95 % intervals over trials; left is what remains, above chance, of the "
        "accuracy that a model has with its own eyes."
    )
    text, values = as_markdown(found), {"stitches": as_json(found)}
    return (
        Section("Do one model's eyes do in the other's place?", says, text=text, values=values),
    )
