"""Layers as an initialization left them: every parameter's distribution and structure -> findings."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from audit.checks.evidence import Check, Evidence, Need, Place
from audit.checks.parameters import Row, parameter_rows
from audit.errors import NotApplicable
from audit.records import Finding, Judgement
from audit.words import listed, plural

SURE = 1000
"""With fewer weights chance alone explains some trained layers; there the scale must be that of a known recipe too."""

FLAT = 2.6
"""A kurtosis below this is that of a uniform or cut-off distribution (1.8 to 2.4); trained weights have 3 and more."""


class ReinitialisedLayers(Check):
    """Layers whose weights chance alone explains: never loaded from the checkpoint, or never trained.

    An initialization draws each weight alone, from a uniform or a normal distribution. Training makes filters,
    channels, positions and neighbours differ or agree, and the tails heavy. A layer is found if neither its
    distribution nor its structure contradicts an initialization at `chance`; if a part of its filters is so; if its
    tails are still lighter than normal; or if normalisation statistics are exactly those before the first step.
    """

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("parameters",)
    measured_in: ClassVar[str] = "layers"

    at_most: int = Field(default=0, ge=0, description="untrained layers allowed")
    chance: float = Field(
        default=1e-5, gt=0, lt=1, description="an initialization is ruled out where it gives such weights less often"
    )
    min_weights: int = Field(default=400, ge=100, description="a layer with fewer weights is not judged")

    def judge(self, evidence: Evidence) -> Judgement:
        rows = parameter_rows(evidence)
        weights = [row for row in rows if row["filters"] > 0]
        judged = [row for row in weights if row["count"] >= self.min_weights]
        norms = _normalisations(rows)
        if not judged and not norms:
            raise NotApplicable(
                f"no convolution or linear layer has {self.min_weights} weights, and nothing normalises"
            )
        findings = [finding for row in judged for finding in self._of_weights(row)]
        findings += [finding for name, norm in norms.items() for finding in _of_normalisation(name, norm)]
        found = {finding.layer for finding in findings}
        small = [str(row["layer"]) for row in weights if row["count"] < self.min_weights]
        message = self._message(findings, len(judged), len(norms), small)
        return Judgement(float(len(found)), float(self.at_most), "at most", "layers", message, tuple(findings))

    def _of_weights(self, row: Row) -> Iterator[Finding]:
        reason, chance = self._reason(row)
        if reason:
            yield Finding(str(row["layer"]), None, f"{row['name']} {reason}", chance)

    def _reason(self, row: Row) -> tuple[str, float]:
        """Why the weights look untrained, or nothing; and how likely an initialization gives what was found."""
        distribution, structure = max(row["uniform_p"], row["normal_p"]), row["structure_p"]
        chance = float(min(distribution, structure))
        if row["not_finite"]:
            return "cannot be judged: some of it is NaN or infinite", float("nan")
        if row["distinct"] == 1:
            return "is the same number everywhere, as a constant initialization leaves it", 1.0
        recipe = row["initialization"]
        if not chance < self.chance and (recipe or row["count"] >= SURE):
            as_left = f": its spread is that of {recipe}" if recipe else ""
            return f"looks as an initialization leaves it{as_left} (p = {chance:.2g})", chance
        if row["fresh_filters"] > 0:
            return f"of {row['fresh_filters']:.0f} of {row['filters']:.0f} filters is as drawn uniformly", chance
        if row["kurtosis"] < FLAT and row["count"] >= SURE and row["distinct"] > row["count"] / 2:
            return (
                f"has hardly left a uniform initialization (kurtosis {row['kurtosis']:.2f}, trained 3 or more)",
                chance,
            )
        return "", chance

    def _message(self, findings: list[Finding], judged: int, norms: int, small: list[str]) -> str:
        looked = plural(judged, "layer") + (f" and {plural(norms, 'normalisation')}" if norms else "")
        passed_over = (
            f"; {len(small)} with under {self.min_weights} weights not judged: {listed(small, 8)}" if small else ""
        )
        if not findings:
            return f"none of {looked} looks as it was initialized{passed_over}"
        names = list(dict.fromkeys(str(finding.layer) for finding in findings))
        return (
            f"{len(names)} of {looked} look as they were before training: {listed(names, 8)}. Load them from the "
            f"checkpoint (names, prefix, number of classes), or train them{passed_over}"
        )


def _normalisations(rows: list[Row]) -> dict[str, dict[str, Row]]:
    """Layer -> its running mean and running variance, where it has both."""
    of_layer: dict[str, dict[str, Row]] = {}
    for row in rows:
        of_layer.setdefault(str(row["layer"]), {})[str(row["kind"])] = row
    both = {"running mean", "running variance"}
    return {name: kinds for name, kinds in of_layer.items() if both <= kinds.keys()}


def _of_normalisation(name: str, kinds: Mapping[str, Row]) -> Iterator[Finding]:
    """One step of training moves every unit's running statistics: 0 and 1, exactly, are those from before it."""
    mean, variance = kinds["running mean"], kinds["running variance"]
    never = int(min(mean["zeros"], variance["ones"]))
    if mean["not_finite"] or variance["not_finite"]:
        yield Finding(name, None, "cannot be judged: running statistics are NaN or infinite", float("nan"))
    elif never:
        of = f"{never} of {mean['count']:.0f} units" if never < mean["count"] else "all units"
        too = ", weight 1 and bias 0" if _untouched(kinds) else ""
        yield Finding(name, None, f"{of} have running mean 0 and variance 1{too}: never updated", float(never))


def _untouched(kinds: Mapping[str, Row]) -> bool:
    """Whether scale and shift, too, are as they were made, in every unit."""
    weight, bias = kinds.get("normalisation weight"), kinds.get("normalisation bias")
    if weight is None or bias is None:
        return False
    return bool(weight["ones"] == weight["count"] and bias["zeros"] == bias["count"])
