"""The table "predictions" -> what became of the pictures of each class, for the class's own page."""

from collections import Counter

from audit.records import Report
from audit.render.pages.layers import Fact
from audit.render.pages.pictures import labelled
from audit.render.wording import number, percent

Facts = dict[int, tuple[Fact, ...]]


def class_facts(report: Report) -> Facts:
    """By class: how many of the pictures are of it, on how many it is the answer, and the commonest other answer."""
    answers = labelled(report.table("predictions"))
    if answers is None:
        return {}
    found: Facts = {}
    for label in sorted(set(answers.label.tolist())):
        own = answers.of(answers.label == label)
        wrong = Counter(own.of(~own.right).predicted.tolist()).most_common(1)
        found[label] = (
            Fact("pictures of the class", number(len(own))),
            Fact("answered right", percent(float(own.right.mean()))),
            *(Fact("else mostly taken for", _named(report, other)) for other, _ in wrong),
        )
    return found


def _named(report: Report, output: int) -> str:
    return report.labels[output] if 0 <= output < len(report.labels) else f"output {output}"
