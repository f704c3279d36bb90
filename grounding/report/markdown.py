"""The report as a page of Markdown, with its figures."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from firsthand.grounding.report.report import GroundingReport, Section, TableRow
from firsthand.grounding.study import variant_label as _label

PICTURES = "pictures"  # the folder beside the page

# Sections, each with the prefixes of the names of its figures.
ACCURACY = ("accuracy",)
CATEGORIES = ("categories", "said_against_accuracy", "distance_against_accuracy")
CONCEPTS = ("concept", "frames_map", "layers")
RETRIEVAL = ("frames_by_word", "words_by_frame")
SALIENCY = ("looks",)
CURVE = ("alignment_curve",)


def as_markdown(report: GroundingReport, captions: Mapping[str, str]) -> str:
    """The page; captions: of the figures in the folder beside it, by name."""
    page = _Page(captions)
    _head(page, report)
    _accuracy(page, report)
    _curve(page, report)
    _categories(page, report)
    _labels(page, report)
    _concepts(page, report)
    _retrieval(page, report)
    if page.section("Where the model looks", SALIENCY):
        page.add("For each word, pictures of what it means and what made them near to it.")
        page.add_images(SALIENCY)
    for section in report.parts:
        _section(page, section)
    page.add_remaining()
    return page.text()


class _Page:
    """The page's lines, and the captions of figures that are not on it yet."""

    def __init__(self, captions: Mapping[str, str]) -> None:
        self._lines: list[str] = []
        self._captions = dict(captions)

    def section(self, title: str, pictures: Sequence[str] = (), found: bool = False) -> bool:
        """Begin a section if something was found or there is a figure for it."""
        if found or any(name.startswith(tuple(pictures)) for name in self._captions):
            self.add(f"## {title}")
            return True
        return False

    def add(self, *paragraphs: str) -> None:
        for paragraph in paragraphs:
            self._lines += [paragraph, ""]

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        lines = [list(head), ["---"] * len(head), *(list(row) for row in rows)]
        self.add("\n".join("| " + " | ".join(line) + " |" for line in lines))

    def add_images(self, beginnings: Sequence[str]) -> None:
        for name in [name for name in self._captions if name.startswith(tuple(beginnings))]:
            self.add(f"![{self._captions.pop(name)}]({PICTURES}/{name}.png)")

    def add_remaining(self) -> None:
        if self._captions:
            self.add("## More pictures")
            self.add_images([""])

    def text(self) -> str:
        return "\n".join(self._lines).rstrip() + "\n"


def _head(page: _Page, report: GroundingReport) -> None:
    page.add("# Which words are known")
    words = "" if report.alignment is None else (
        f", where {_percent(report.alignment)} of the utterances name something in view"
    )  # fmt: skip
    page.add(
        f"Models: `{report.study}`. Corpus: `{report.root}`{words}. "
        f"{report.seeds} {'seeds' if report.seeds > 1 else 'seed'}; "
        + (
            "numbers are means over seeds ± standard errors."
            if report.seeds > 1
            else "in brackets 95 % intervals (Wilson) over trials."
        )
    )
    facts = [
        (f.title, f"`{name}`", str(f.trials), str(f.pictures), _percent(f.chance),
         ", ".join(f.unknown))
        for name, f in report.sets.items()
    ]  # fmt: skip
    head = ("test set", "file", "trials", "pictures", "chance", "words never heard, left out")
    page.table(head, facts)


def _accuracy(page: _Page, report: GroundingReport) -> None:
    page.section("Which picture does the word mean?", found=True)
    titles = [facts.title for facts in report.sets.values()]
    chance = ["chance", *(_percent(facts.chance) for facts in report.sets.values())]
    page.table(["", *titles], [chance, *(_line(row, list(report.sets)) for row in report.rows)])
    if any("linear probe" in row.label for row in report.rows):
        page.add(
            "Linear probes learn from labelled pictures of other recordings (`eval/dev`), on the "
            f"features of {_label(report.main)}; on white they learn from one half of each "
            "category's pictures and are asked for the other."
        )
    page.add_images(ACCURACY)
    _generalisation(page, report)


def _line(row: TableRow, names: Sequence[str]) -> list[str]:
    label = f"**{row.label}**" if row.compared else row.label
    return [label, *(row.sets[name].formatted() if name in row.sets else "" for name in names)]


def _generalisation(page: _Page, report: GroundingReport) -> None:
    """The share of the accuracy above chance that is left in the other test sets."""
    first, *others = report.sets
    row = next(row for row in report.rows if row.compared)
    if first not in row.sets:
        return
    known = row.sets[first].mean - report.sets[first].chance
    kept = [
        f"{facts.title} {_percent((row.sets[name].mean - facts.chance) / known)}"
        for name, facts in ((name, report.sets[name]) for name in others)
        if facts.chance == report.sets[first].chance and name in row.sets and known > 0
    ]
    if kept:
        page.add(
            f"Generalisation: of what {row.label} knows above chance of "
            f"{report.sets[first].title}, this much is left: {', '.join(kept)}."
        )


def _curve(page: _Page, report: GroundingReport) -> None:
    if not page.section("Accuracy against alignment", CURVE, bool(report.curve)):
        return
    variants = list(dict.fromkeys(v for point in report.curve for v in point.accuracy))
    for name, facts in report.sets.items():
        rows = [
            (
                _percent(point.alignment),
                *(
                    point.accuracy[v][name].formatted() if name in point.accuracy.get(v, {}) else ""
                    for v in variants
                ),
                f"`{point.study}`",
            )
            for point in report.curve
        ]
        head = (
            f"{facts.title}: utterances aligned",
            *(_label(v) for v in variants),
            "models",
        )
        page.table(head, rows)
    page.add_images(CURVE)


def _categories(page: _Page, report: GroundingReport) -> None:
    name, facts = next(iter(report.sets.items()))
    rows = [row for row in report.rows if name in row.by_word]
    page.section("By category", found=True)
    compared = next((row.by_word[name] for row in rows if row.compared), {})
    words = {word for row in rows for word in row.by_word[name]}
    page.add(f"In {facts.title}:")
    best_first = sorted(words, key=lambda word: (-compared[word].mean, word))
    page.table(
        ["", *(row.label for row in rows)],
        [[word, *(_word_accuracy(row, name, word) for row in rows)] for word in best_first],
    )
    if report.ranks is not None:
        page.add(
            f"Categories that {_label(report.main)} and the probe with all labels know well are "
            f"the same to this degree: Spearman's ρ = {report.ranks.rho:.2f} over "
            f"{report.ranks.categories} categories."
        )
    others = list(report.sets)[1:]
    row = next(row for row in report.rows if row.compared)
    if others := [other for other in others if other in row.by_word]:
        page.add(f"{row.label} in the other test sets:")
        every = sorted({word for other in others for word in row.by_word[other]})
        page.table(
            ["", *(report.sets[other].title for other in others)],
            [[word, *(_word_accuracy(row, other, word) for other in others)] for word in every],
        )
    page.add_images(CATEGORIES)


def _word_accuracy(row: TableRow, name: str, word: str) -> str:
    """The accuracy of a word; without an interval for one model, which depends on the number of
    trials alone."""
    found = row.by_word.get(name, {}).get(word)
    if found is None:
        return ""
    return found.formatted() if found.error is not None else _percent(found.mean)


def _labels(page: _Page, report: GroundingReport) -> None:
    if not page.section("What labels are worth", found=bool(report.exchange or report.probes)):
        return
    if (rate := report.exchange) is not None:
        points = ", ".join(f"{labels} labels {_percent(share)}" for labels, share in rate.probes)
        does = (
            f"as well as a probe with {rate.labels:.0f} labels"
            if rate.labels is not None
            else "worse than the probe with the fewest labels"
            if rate.bound == "at least"
            else "better than the probe with the most labels"
        )
        bound = f"{rate.bound} " if rate.bound else ""
        page.add(
            f"{rate.said} utterances name one of the categories, whatever was in view then. From "
            f"them {_label(report.main)} reaches {_percent(rate.accuracy)}. Probes of its features "
            f"reach, with {points}. It does {does}: one label is worth {bound}{rate.worth:.1f} "
            "natural examples. (Between probes accuracy is taken to grow with the logarithm of the "
            "number of labels.)"
        )
    if len(report.probes) > 1:
        page.add("What a probe with all labels makes of the features of each kind of model:")
        names = list(next(iter(report.probes.values())).sets)
        page.table(
            ["", *(report.sets[name].title for name in names)],
            [_line(row, names) for row in report.probes.values()],
        )


def _concepts(page: _Page, report: GroundingReport) -> None:
    if not page.section(
        "Is what looks alike called alike?", CONCEPTS, any(report.concepts.values())
    ):
        return
    names = list(dict.fromkeys(name for sets in report.concepts.values() for name in sets))
    page.add(
        "Correlation of the cosines between concepts, mean pictures on one side and words on the "
        "other; p by permuting concepts (Mantel), the largest over seeds."
    )
    page.table(
        ["", *(report.sets[name].title for name in names)],
        [
            [
                _label(variant),
                *(
                    f"r = {_number(sets[name].r)}, p = {sets[name].p:.4f}" if name in sets else ""
                    for name in names
                ),
            ]
            for variant, sets in report.concepts.items()
        ],
    )
    if (layers := report.layers) is not None:
        page.add(
            f"Layers of {_label(report.main)} (averaged over places and over the pictures of a "
            "concept) against the words' vectors. The best layer stands beside the best layers of "
            "concepts that were mixed up: a maximum over layers is large by chance."
        )
        page.table(
            ["", *layers.seen, "best", "by chance", "p"],
            [
                [name, *(f"{score:.2f}" for score in table.scores[:, 0]), f"{table.best:.2f}",
                 f"{table.by_chance:.2f}", f"{table.p:.3f}"]
                for name, table in layers.measures.items()
            ],
        )  # fmt: skip
    page.add_images(CONCEPTS)


def _number(summary) -> str:
    return f"{summary.mean:.2f}" + ("" if summary.error is None else f" ± {summary.error:.2f}")


def _retrieval(page: _Page, report: GroundingReport) -> None:
    found = any(report.retrieval.values())
    if not page.section("Pictures by word, words by picture", RETRIEVAL, found):
        return
    page.add(
        "Pictures by word: average precision, and the share of right ones among the first 10 and "
        "100, means over words. Words by picture: how often its own word is the nearest of all, "
        "and one over that word's rank."
    )
    head = ("", "test set", "average precision", "first 10", "first 100", "own word first",
            "1 / rank")  # fmt: skip
    page.table(head, [
        (_label(variant), report.sets[name].title, _number(one.average_precision),
         one.first_10.formatted(), one.first_100.formatted(), one.own_word.formatted(),
         _number(one.reciprocal_rank))
        for variant, sets in report.retrieval.items() for name, one in sets.items()
    ])  # fmt: skip
    if report.main in report.retrieval and report.retrieval[report.main]:
        sets = report.retrieval[report.main]
        words = sorted({word for one in sets.values() for word in one.by_word})
        page.add(f"Average precision of {_label(report.main)} by word:")
        page.table(
            ["", *(report.sets[name].title for name in sets)],
            [
                [word, *(_number(one.by_word[word]) if word in one.by_word else ""
                         for one in sets.values())]
                for word in words
            ],
        )  # fmt: skip
    page.add_images(RETRIEVAL)


def _section(page: _Page, section: Section) -> None:
    page.add(f"## {section.title}", section.says)
    if section.rows:
        chance = ["chance", *(_percent(section.chance[name]) for name in section.columns)]
        lines = [_line(row, list(section.columns)) for row in section.rows]
        page.table(["", *section.columns.values()], [chance, *lines])
        for name, title in section.columns.items():
            rows = [row for row in section.rows if name in row.by_word]
            words = sorted({word for row in rows for word in row.by_word[name]})
            page.table(
                [title, *(row.label for row in rows)],
                [[word, *(_word_accuracy(row, name, word) for row in rows)] for word in words],
            )
    if section.text:
        page.add(section.text)
    page.add_images(
        [Path(name).stem.removeprefix("eval_") for name in section.columns] or [section.title]
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
