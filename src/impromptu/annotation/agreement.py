"""How far answers to one question agree: of two teachers, or of one that is asked again.

Agreement is no truth: two teachers may share a mistake. It bounds what can be expected.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from impromptu.annotation.checks import words


def token_f1(one: str, other: str) -> float:
    """Return the overlap of two texts' words: the harmonic mean of the shares they have in common.

    A word that comes several times counts as often as both have it; order, case, digits and
    punctuation do not count (F1 over word tokens, as for SQuAD, Rajpurkar et al. 2016, which
    also leaves out articles). 1 for the same words, 0 for none in common.
    """
    these, those = Counter(words(one)), Counter(words(other))
    common = (these & those).total()
    return 2 * common / (these.total() + those.total()) if common else float(these == those)


def similarity(task: str, one: str, other: str) -> float:
    """Return 1 or 0 for q4, whose answers are words; the ``token_f1`` of others."""
    return float(one == other) if task == "q4" else token_f1(one, other)


def most_agreed(task: str, answers: Sequence[str]) -> str:
    """Return the answer that is most like the others; the first of several such.

    Of words that is the majority, of texts the one in their middle.
    """
    likeness = [sum(similarity(task, one, other) for other in answers) for one in answers]
    return answers[likeness.index(max(likeness))]


@dataclass(slots=True)
class Pairs:
    """Pairs of answers to the same.

    Attributes:
        likeness: Sum of their similarities.
        said: Of words, how often each pair of them came.
    """

    task: str
    count: int = 0
    likeness: float = 0.0
    said: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add_all(self, answers: Sequence[str]) -> None:
        """Take in every pair of several answers to one question."""
        for one, other in combinations(answers, 2):
            self.add(one, other)

    def add(self, one: str, other: str) -> None:
        """Take in a pair."""
        self.count += 1
        self.likeness += similarity(self.task, one, other)
        if self.task == "q4":
            self.said[one, other] += 1

    def figures(self) -> dict[str, Any]:
        """Return the mean similarity under its name, and of words Cohen's kappa."""
        mean = self.likeness / self.count if self.count else None
        if self.task != "q4":
            return {"pairs": self.count, "token_f1": mean}
        return {"pairs": self.count, "equal_rate": mean, "cohens_kappa": cohens_kappa(self.said)}


def cohens_kappa(said: Counter[tuple[str, str]]) -> float | None:
    """Return how far two agree beyond chance, (p - e) / (1 - e) (Cohen 1960).

    None where chance alone would make them agree: both always say the same one word.

    Args:
        said: How often the first and the second said which words.
    """
    total = said.total()
    first, second = (Counter[str]() for _ in range(2))
    for (one, other), count in said.items():
        first[one] += count
        second[other] += count
    equal = sum(count for (one, other), count in said.items() if one == other)
    # In whole numbers, so that a chance of exactly 1 is seen.
    chance = sum(count * second[word] for word, count in first.items())
    if chance == total**2:
        return None
    return (equal * total - chance) / (total**2 - chance)
