"""Two policies on the same trials: which of them solves more, if that can be told."""

from dataclasses import dataclass
from math import comb

from firsthand.envs.evaluation.summary import TaskResults

LEVEL = 0.05


@dataclass(frozen=True)
class Paired:
    """Trials that both tried, from the same layout on the same sentence, by who solved them."""

    both: int
    first_alone: int
    second_alone: int
    neither: int

    @classmethod
    def of(cls, first: TaskResults, second: TaskResults) -> "Paired":
        """Raises:
        ValueError: the trials of the two are not the same.
        """
        tried = [[(r["index"], r["instructions"]) for r in one.records] for one in (first, second)]
        if tried[0] != tried[1]:
            raise ValueError("the two policies were not tried on the same trials")
        outcomes = [
            (bool(a["success"]), bool(b["success"]))
            for a, b in zip(first.records, second.records, strict=True)
        ]
        cases = ((True, True), (True, False), (False, True), (False, False))
        return cls(*(outcomes.count(case) for case in cases))

    @property
    def trials(self) -> int:
        return self.both + self.first_alone + self.second_alone + self.neither

    @property
    def p(self) -> float:
        """How often two equally good policies would differ so much or more: McNemar's test (1947),
        exact and two-sided. Trials with one outcome for both say nothing of a difference."""
        alone = self.first_alone + self.second_alone
        fewer = min(self.first_alone, self.second_alone)
        return min(1.0, 2 * sum(comb(alone, k) for k in range(fewer + 1)) / 2**alone)

    @property
    def told_apart(self) -> bool:
        """Whether one may be said to solve more."""
        return self.p < LEVEL

    def in_words(self, first: str, second: str) -> str:
        """What the trials say of the two, by their names; a rank only if there is one to tell."""
        if self.told_apart:
            more, less = (
                (first, second) if self.first_alone > self.second_alone else (second, first)
            )
            verdict = f"{more} solves more than {less}"
        else:
            verdict = f"these trials cannot tell {first} and {second} apart"
        return (
            f"{verdict}: of {self.trials} tried by both, {self.both} were solved by both, "
            f"{self.first_alone} by the first alone, {self.second_alone} by the second alone "
            f"(McNemar's exact test, p = {self.p:.2g})"
        )
