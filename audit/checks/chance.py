"""Counts -> what chance alone explains of them."""

from math import sqrt
from statistics import NormalDist

SURE = 0.99
"""Of every interval here, two-sided; a default check then raises one false alarm in 200 audits at most."""


def wilson(right: int, count: int) -> tuple[float, float]:
    """99 % interval of a share of which `right` of `count` were seen (Wilson 1927); from 0 to 1 without any."""
    if count == 0:
        return 0.0, 1.0
    share, z = right / count, _deviations()
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return 0.0 if right == 0 else middle - half, 1.0 if right == count else middle + half


def allowance(share: float, count: int) -> float:
    """How far from `share` a share seen among `count` may lie by chance: within it Wilson's interval holds `share`."""
    return _deviations() * sqrt(share * (1 - share) / count)


def sign_test(better: int, worse: int) -> float:
    """Probability that chance alone is as often better among the pictures that differ (McNemar, exact, one-sided)."""
    return at_least(better, better + worse, 0.5) if better + worse else 1.0


def at_least(right: int, count: int, share: float) -> float:
    """Probability that of `count` no fewer than `right` are, where each is with the probability `share`."""
    from scipy.special import bdtrc

    return float(bdtrc(right - 1, count, share))


def _deviations() -> float:
    """How many standard deviations either way hold as much of a normal distribution as is sure."""
    return NormalDist().inv_cdf((1 + SURE) / 2)
