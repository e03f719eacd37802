"""Pictures shown in other ways -> whether audit.toml shows them as the network was trained."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from audit.checks.chance import sign_test
from audit.checks.evidence import Check, Evidence, Need, Place
from audit.errors import NotApplicable, Unavailable
from audit.records import Finding, Judgement, Table

DOUBT = 0.01
"""Probability of a false alarm, over all ways together (Bonferroni)."""


class Preprocessing(Check):
    """Points of accuracy by which another way of showing the pictures is better than the configured one.

    A way counts if the pictures that only one of both gets right decide for it beyond chance (McNemar's exact test,
    corrected for the number of ways). Confidence is no guide, and is not asked: a network that is shown pixels of
    0..255 in place of 0..1 is surer than ever.
    """

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("preprocessing",)
    measured_in: ClassVar[str] = "points"

    at_most: float = Field(default=1.0, ge=0, le=100, description="points by which another way may be better")
    min_images: int = Field(default=30, ge=1, description="with fewer labelled pictures nothing is said")

    def judge(self, evidence: Evidence) -> Judgement:
        table = evidence.table("preprocessing")
        columns = table.columns
        if table.rows < 2 or not columns["labelled"][0]:
            raise NotApplicable(
                "no picture has a label; without labels nobody knows which way of showing them is right"
            )
        if columns["labelled"][0] < self.min_images:
            raise Unavailable(
                f"{columns['labelled'][0]} labelled pictures do not tell one way of showing them from another; show at "
                f"least {self.min_images} (data.limit), or set min_images"
            )
        gains = 100 * (columns["better"] - columns["worse"]) / columns["labelled"]
        doubts = [_doubt(table, row) for row in range(table.rows)]
        sure = [row for row in range(1, table.rows) if doubts[row] < DOUBT and gains[row] > 0]
        sure.sort(key=lambda row: -gains[row])
        measured = float(gains[sure[0]]) if sure else 0.0
        if not np.isfinite(columns["confidence"][0]):
            measured = float("nan")
        findings = tuple(Finding(None, None, _better(table, row, doubts[row]), float(gains[row])) for row in sure)
        return Judgement(measured, self.at_most, "at most", "points", _message(table, findings, measured), findings)


def _doubt(table: Table, row: int) -> float:
    """That chance alone is so much better in any of the ways."""
    columns = table.columns
    return min(1.0, sign_test(int(columns["better"][row]), int(columns["worse"][row])) * (table.rows - 1))


def _better(table: Table, row: int, doubt: float) -> str:
    columns = table.columns
    return (
        f"{columns['variant'][row]}: {columns['top1'][row]:.1%} right, {columns['better'][row]} pictures only so, "
        f"{columns['worse'][row]} only as configured (p = {doubt:.2g}); audit.toml would say: {columns['change'][row]}"
    )


def _message(table: Table, findings: tuple[Finding, ...], measured: float) -> str:
    columns = table.columns
    now = f"{columns['top1'][0]:.1%} of {columns['labelled'][0]} pictures are right as configured"
    if np.isnan(measured):
        return f"{now}: the outputs are not finite"
    if not findings:
        return f"{now}, and none of {table.rows - 1} other ways of showing them is better beyond chance"
    return f"{now}, but more are otherwise. {findings[0].message}. Show them as in training"
