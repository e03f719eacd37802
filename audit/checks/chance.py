"""Counts -> what chance alone explains of them."""

from math import sqrt

from scipy.stats import binomtest, norm

SURE = 0.99
"""Of every interval here, two-sided; a default check then raises one false alarm in 200 audits at most."""


def wilson(right: int, count: int) -> tuple[float, float]:
    """99 % interval of a share of which `right` of `count` were seen (Wilson 1927); from 0 to 1 without any."""
    if count == 0:
        return 0.0, 1.0
    interval = binomtest(right, count).proportion_ci(SURE, method="wilson")
    return float(interval.low), float(interval.high)


def allowance(share: float, count: int) -> float:
    """How far from `share` a share seen among `count` may lie by chance: within it Wilson's interval holds `share`."""
    return float(norm.ppf((1 + SURE) / 2)) * sqrt(share * (1 - share) / count)


def sign_test(better: int, worse: int) -> float:
    """Probability that chance alone is as often better among the pictures that differ (McNemar, exact, one-sided)."""
    return float(binomtest(better, better + worse, alternative="greater").pvalue) if better + worse else 1.0
