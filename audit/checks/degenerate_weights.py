"""Weights that cannot do their work: zeros, copies, constants, few or subnormal values -> findings."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from audit.checks.evidence import Check, Evidence, Need, Place
from audit.checks.parameters import Row, filter_rows
from audit.errors import NotApplicable
from audit.records import Finding, Judgement
from audit.words import plural

MANY = 1000
"""A tensor with fewer weights may well have few different values."""


class DegenerateWeights(Check):
    """Convolutions and linear layers of zeros, of copies, of one value, of very few values, or of subnormal numbers.

    Exact zeros and repeated values are what pruning and quantisation leave (Han et al. 2016): healthy, up to a point.
    """

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("parameters",)
    measured_in: ClassVar[str] = "layers"

    zero_filters: float = Field(
        default=1.0, ge=0, le=100, description="filters of zeros allowed, in percent of a layer's"
    )
    equal_filters: float = Field(
        default=0.0, ge=0, le=100, description="filters that copy another exactly allowed, in percent of a layer's"
    )
    zeros: float = Field(default=85.0, ge=0, le=100, description="zeros allowed, in percent of a layer's weights")
    subnormal: float = Field(
        default=10.0, ge=0, le=100, description="subnormal numbers allowed, in percent of a layer's weights"
    )
    min_values: int = Field(
        default=16, ge=1, description="different values that a layer of 1,000 or more weights must have"
    )

    def judge(self, evidence: Evidence) -> Judgement:
        rows = filter_rows(evidence)
        if not rows:
            raise NotApplicable("the model has no convolution and no linear layer")
        findings = tuple(finding for row in rows for finding in self._of(row))
        layers = list(dict.fromkeys(str(finding.layer) for finding in findings))
        message = _healthy(rows)
        if findings:
            some = "; ".join(map(str, findings[:3])) + (f"; and {len(findings) - 3} more" if len(findings) > 3 else "")
            message = f"{len(layers)} of {plural(len(rows), 'layer')} cannot do their work: {some}"
        return Judgement(float(len(layers)), 0.0, "at most", "layers", message, findings)

    def _of(self, row: Row) -> Iterator[Finding]:
        """All that is wrong with the weights of one layer."""
        layer, count = str(row["layer"]), float(row["count"])
        if count > 1 and row["distinct"] == 1:
            yield Finding(layer, None, f"all {count:.0f} weights are the same number ({row['mean']:.4g})", 1.0)
            return
        for text, measured in self._shares(row):
            yield Finding(layer, None, text, measured)
        if count >= MANY and row["distinct"] < self.min_values:
            text = f"{row['distinct']:.0f} different values among {count:.0f} weights: rounded too far"
            yield Finding(layer, None, text, float(row["distinct"]))

    def _shares(self, row: Row) -> Iterator[tuple[str, float]]:
        """What exceeds its share: text and percent."""
        filters, count = row["filters"], row["count"]
        limits = (
            ("zero_filters", filters, self.zero_filters, f"filters of zeros ({row['zero_units']})"),
            ("equal_filters", filters, self.equal_filters, f"filters equal to another ({row['equal_units']})"),
            ("zeros", count, self.zeros, "weights are zero: pruned too far"),
            ("subnormal", count, self.subnormal, "weights are subnormal numbers, as good as zero"),
        )
        for column, of, limit, words in limits:
            percent = 100 * float(row[column] / of)
            if not percent <= limit:
                yield f"{row[column]:.0f} of {of:.0f} {words}", percent


def _healthy(rows: list[Row]) -> str:
    """What a healthy model has of it all the same."""
    most = max(rows, key=lambda row: row["zeros"] / row["count"])
    zero = sum(row["zero_filters"] for row in rows)
    share = 100 * most["zeros"] / most["count"]
    message = f"none of {plural(len(rows), 'layer')} is degenerate; {share:.3g} % zeros at most ({most['layer']})"
    if not zero:
        return message
    where = ", ".join(f"{row['layer']}: {row['zero_units']}" for row in rows if row["zero_filters"])
    return f"{message}; {plural(zero, 'filter')} of zeros in all ({where})"
