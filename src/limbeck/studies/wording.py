"""Verdicts in words that somebody who has never met a confidence interval can act on."""

from dataclasses import dataclass
from math import floor, log10

from limbeck.record import Outcome

ROLES: dict[str, str] = {
    "teacher": "the teacher",
    "student": "the distilled student",
    "baseline": "the same student without a teacher",
    "teacher-labels": "the student taught by the teacher's hard labels",
}
"""What people call the arms."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the sentence is about.

    Attributes:
        arm: whose verdict it is: a role, or what people call it.
        against: what it is compared with, likewise.
        metric: its name.
        percent: whether differences are points.
        higher_is_better: the metric's direction.
        margin: differences within it do not matter.
        seeds: of each arm.
        examples: in the test sample.
    """

    arm: str
    against: str
    metric: str
    percent: bool
    higher_is_better: bool
    margin: float
    seeds: int
    examples: int

    def sentence(self, outcome: Outcome, difference: float, half: float, needed: int | None, more: int | None) -> str:
        """The verdict as one sentence, two where it is inconclusive.

        Args:
            outcome: what was found.
            difference: `arm - against` in the metric's unit.
            half: half the width of its interval.
            needed: seeds that would settle it.
            more: test examples that would.

        Returns:
            Plain words, without markup.
        """
        digits = self._digits(difference, half)
        ahead = difference if self.higher_is_better else -difference
        size = f"{self._number(abs(ahead), digits)} {self._unit}"
        low, high = sorted((abs(ahead) - half, abs(ahead) + half))
        seeds = _count(self.seeds, "seed")
        straight = f"(95% interval {self._number(low, digits)} to {self._number(high, digits)}, {seeds})"
        ends = [self._side(end, digits) for end in (ahead - half, ahead + half)]
        level = ends == ["level", "level"]
        either = f"(exactly level in each of {seeds})" if level else f"(95% interval {' to '.join(ends)}, {seeds})"
        arm, against = _capital(_called(self.arm)), _called(self.against)
        margin = f"{self._number(self.margin, self._digits(self.margin, self.margin))} {self._unit}"
        match outcome:
            case "beats":
                return f"{arm} beats {against} by {size} {straight}."
            case "worse":
                return f"{arm} is worse than {against} by {size} {straight}."
            case "beats-by-less-than-matters":
                return f"{arm} beats {against}, but by less than matters ({margin}): by {size} {straight}."
            case "worse-by-less-than-matters":
                return f"{arm} is worse than {against}, but by less than matters ({margin}): by {size} {straight}."
            case "no-gain":
                found = f"it measured {self._side(ahead, digits)} {either}" if half else self._same()
                return f"{arm} is as good as {against}, to within {margin}: {found}."
            case _:
                place = f"{self._side(ahead, digits, of=True)} {against}"
                return f"Inconclusive: {_called(self.arm)} measured {place} {either}. {self._mend(needed, more)}"

    def unmeasured(self, difference: float) -> str:
        """The sentence where there is no interval: one seed, or one test example."""
        ahead = difference if self.higher_is_better else -difference
        mend = f"One {'seed' if self.examples > 1 else 'test example'} shows nothing, since the next may say otherwise"
        place = self._side(ahead, self._digits(difference, abs(difference)), of=True)
        return f"Inconclusive: {_called(self.arm)} measured {place} {_called(self.against)}. {mend}."

    @property
    def _unit(self) -> str:
        return "points" if self.percent else self.metric

    def _number(self, value: float, digits: int) -> str:
        return f"{value * (100 if self.percent else 1) + 0.0:.{digits}f}"

    def _side(self, ahead: float, digits: int, *, of: bool = False) -> str:
        size = self._number(abs(ahead), digits)
        if float(size) == 0:
            return "level with" if of else "level"
        side = ("ahead of" if of else "ahead") if ahead > 0 else "behind"
        return f"{size} {self._unit} {side}"

    def _same(self) -> str:
        seeds = _count(self.seeds, "seed")
        return f"both scored the same on each of {self.examples:,} test examples with each of {seeds}"

    def _digits(self, difference: float, half: float) -> int:
        """Decimals that keep the interval's ends apart from 0: two digits of its half-width, at least 1 for points."""
        scale = 100 if self.percent else 1
        size = (half or abs(difference)) * scale
        if size == 0:
            return 1
        digits = max(1 if self.percent else 0, (0 if self.percent else 1) - floor(log10(size)))
        ends = [abs(abs(difference) - half) * scale, (abs(difference) + half) * scale]
        while digits < 9 and any(end > 0 and round(end, digits) == 0 for end in ends):
            digits += 1
        return digits

    def _mend(self, needed: int | None, more: int | None) -> str:
        if needed is not None:
            return f"About {needed} seeds would settle it."
        if more is not None:
            few = "At least 3 seeds and " if self.seeds < 3 else "More seeds alone cannot settle it: "
            return f"{few}more test examples are needed, about {_round(more):,} (there are {self.examples:,})."
        return "No practical number of seeds would settle it: seeds scatter too much for a difference this small."


def other(comparisons: int) -> str:
    """Counts the other comparisons of a run.

    Args:
        comparisons: how many there are beside this one; >= 1.

    Returns:
        A phrase.

    Example:
        >>> other(1)
        'the other comparison'
    """
    return "the other comparison" if comparisons == 1 else f"the {comparisons} other comparisons"


def _called(who: str) -> str:
    return ROLES.get(who, who)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _round(number: int) -> int:
    """Two significant digits, upwards."""
    step = int(10 ** max(0, floor(log10(number)) - 1))
    return -(-number // step) * step
