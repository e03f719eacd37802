"""Weights -> how well they are explained by chance: drawn one by one from a uniform or a normal distribution.

An initialization draws every weight alone. Training correlates them: some filters, channels and positions get
stronger, neighbours get alike, a few directions carry most of the matrix, and the tails get heavy. Every p-value here
is that of "drawn one by one"; a small one says that the weights were trained (or pruned, or rounded).
"""

import math

import numpy as np
from jaxtyping import Bool, Float

SAMPLE = 10_000
"""Values of a tensor whose distribution is tested; of more a random sample is taken."""

FILTERS, INPUTS = 256, 1152
"""Filters, and weights of each, in which structure is looked for; of more, evenly spaced ones."""

LONG, SHORT = 96, 32
"""Weights that a filter needs to be told from others by its distribution, and by that and a bound that is known.

Shorter trained filters often look uniform.
"""

Filters = Float[np.ndarray, "filter channel *position"]
Part = Float[np.ndarray, "some_filter some_channel *position"]


def sample(values: Float[np.ndarray, "..."], seed: int) -> Float[np.ndarray, " value"]:
    """At most `SAMPLE` of the values, float64."""
    flat = values.reshape(-1)
    if flat.size > SAMPLE:
        flat = flat[np.random.default_rng(seed).choice(flat.size, SAMPLE, replace=False, shuffle=False)]
    return np.asarray(flat, dtype=np.float64)


def uniform_p(values: Float[np.ndarray, " value"]) -> float:
    """Kolmogorov and Smirnov's p-value of a uniform distribution around 0; its bound is estimated from the largest."""
    p: Float[np.ndarray, " row"] = _uniform_ps(values[None])
    return float(p[0])


def normal_p(values: Float[np.ndarray, " value"]) -> float:
    """D'Agostino and Pearson's p-value of a normal distribution of any mean and spread, from skewness and kurtosis."""
    if values.size < 20 or not np.ptp(values) > 0:
        return float("nan")
    scaled = values.astype(np.float64) / np.abs(values).max()
    centred = scaled - scaled.mean()
    variance = (centred**2).mean()
    skewness, kurtosis = (centred**3).mean() / variance**1.5, (centred**4).mean() / variance**2
    squares = _skewness_z(skewness, values.size) ** 2 + _kurtosis_z(kurtosis, values.size) ** 2
    return math.exp(-squares / 2)  # of a chi-square of two degrees of freedom


def _skewness_z(skewness: float, n: int) -> float:
    """Normal if the values are: D'Agostino 1970."""
    y = skewness * math.sqrt((n + 1) * (n + 3) / (6 * (n - 2)))
    beta = 3 * (n**2 + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
    w = math.sqrt(2 * (beta - 1)) - 1
    return math.asinh(y * math.sqrt((w - 1) / 2)) / math.sqrt(math.log(w) / 2)


def _kurtosis_z(kurtosis: float, n: int) -> float:
    """Normal if the values are: Anscombe and Glynn 1983."""
    mean, variance = 3 * (n - 1) / (n + 1), 24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    x = (kurtosis - mean) / math.sqrt(variance)
    skewness = 6 * (n**2 - 5 * n + 2) / ((n + 7) * (n + 9)) * math.sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    a = 6 + 8 / skewness * (2 / skewness + math.sqrt(1 + 4 / skewness**2))
    root = math.cbrt((1 - 2 / a) / (1 + x * math.sqrt(2 / (a - 4))))
    return (1 - 2 / (9 * a) - root) / math.sqrt(2 / (9 * a))


def spectral_excess(matrix: Float[np.ndarray, "row column"]) -> float:
    """How far the largest squared singular value lies above that of a random matrix of the same spread.

    In units of the Tracy-Widom law with its centre at the edge (Johnstone 2001): -1.2 on average for independent
    weights, rarely above 2; NaN for fewer than 4 rows or columns.
    """
    short, long = sorted(matrix.shape)
    spread = float((matrix**2).mean()) if matrix.size else 0.0
    if short < 4 or not spread > 0:
        return float("nan")
    scaled = (matrix if matrix.shape[0] == short else matrix.T) / math.sqrt(spread)
    largest = float(np.linalg.eigvalsh(scaled @ scaled.T)[-1])
    root = math.sqrt(long - 1) + math.sqrt(short)
    width = root * math.pow(1 / math.sqrt(long - 1) + 1 / math.sqrt(short), 1 / 3)
    return (largest - root**2) / width


def tracy_widom_p(excess: float) -> float:
    """Probability of so large a value or a larger one; the asymptotic tail, 1 where that does not hold."""
    if not excess > 1:
        return float("nan") if math.isnan(excess) else 1.0
    return math.exp(-2 / 3 * math.pow(excess, 1.5)) / (4 * math.sqrt(math.pi) * math.pow(excess, 0.75))


def exchangeable_p(filters: Filters) -> float:
    """p-value of "no arrangement of these weights is special": the smallest of several tests, times their number.

    Mean and energy of filters, of input channels and of positions do not differ more than those of random groups;
    spatial neighbours are not correlated; no direction of the matrix is stronger than chance. NaN for constants.
    """
    if not np.ptp(filters) > 0:
        return float("nan")
    filters = filters / np.abs(filters).max()
    weights = filters.reshape(*filters.shape[:2], -1)
    found = [_groups_p(part, axis) for part in (weights, weights**2) for axis in range(3)]
    found += [_neighbours_p(filters), tracy_widom_p(spectral_excess(weights.reshape(len(weights), -1)))]
    known = [p for p in found if not math.isnan(p)]
    return min(1.0, min(known) * len(known)) if known else float("nan")


def part_of(filters: Filters) -> Part:
    """At most `FILTERS` filters and `INPUTS` weights of each, evenly spaced, float64."""
    positions = math.prod(filters.shape[2:])
    few = filters[_spaced(len(filters), FILTERS)][:, _spaced(filters.shape[1], max(1, INPUTS // positions))]
    return np.asarray(few, dtype=np.float64)


def fresh_filters(filters: Filters, seed: int, chance: float = 1e-4) -> float:
    """How many filters are as a uniform initialization left them, beside others that may be trained.

    Those whose own weights look uniform with one common bound, if together they do too and have no structure; 0 if they
    are fewer than 3 or a twentieth. The bound of filters shorter than `LONG` must be that of PyTorch's default, 1 over
    the root of their length. NaN where they are shorter than `SHORT`.
    """
    length = math.prod(filters.shape[1:])
    if length < SHORT:
        return float("nan")
    alike = _of_one_bound(filters[_look_uniform(filters)], None if length >= LONG else 1 / math.sqrt(length))
    if len(alike) < max(3, len(filters) / 20):
        return 0.0
    by_chance = uniform_p(sample(alike, seed)) > chance and exchangeable_p(part_of(alike)) > chance
    return float(len(alike)) if by_chance else 0.0


def _look_uniform(filters: Filters, chance: float = 0.01) -> Bool[np.ndarray, " filter"]:
    rows = filters.reshape(len(filters), -1)
    return np.asarray(_uniform_ps(rows[:, _spaced(rows.shape[1], 512)].astype(np.float64)) > chance)


def _of_one_bound(filters: Filters, bound: float | None) -> Part:
    """Those whose largest weight is near the bound, or near their median one if it is not known.

    The largest of n uniform weights is within 7/n of the bound but once in a thousand times.
    """
    if not len(filters):
        return filters
    largest = np.abs(filters).reshape(len(filters), -1).max(axis=1)
    usual = float(np.median(largest)) if bound is None else bound
    near = np.abs(largest - usual) <= usual * 7 / math.prod(filters.shape[1:])
    return np.asarray(filters[near & (largest <= usual * (1 + 1e-4)) if bound else near])


def _uniform_ps(rows: Float[np.ndarray, "row value"]) -> Float[np.ndarray, " row"]:
    """Of each row; the p-value as Stephens 1970 corrects it for few values. NaN for constant rows."""
    from scipy.special import kolmogorov

    count = rows.shape[1]
    bound = np.abs(rows).max(axis=1, keepdims=True) * (count + 1) / count
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = (np.sort(rows, axis=1) / bound + 1) / 2
    steps = np.arange(count + 1) / count
    distance = np.maximum((steps[1:] - expected).max(axis=1), (expected - steps[:-1]).max(axis=1))
    p = kolmogorov(distance * (math.sqrt(count) + 0.12 + 0.11 / math.sqrt(count)))
    return np.where(np.ptp(rows, axis=1) > 0, p, np.nan)


def _groups_p(values: Float[np.ndarray, "filter channel position"], axis: int) -> float:
    """Whether sums over the slices along an axis differ as those of random groups of values do; NaN for one slice."""
    from scipy.special import chdtrc

    groups, spread = values.shape[axis], float(values.var())
    if groups < 2 or not spread > 0:
        return float("nan")
    size = values.size // groups
    sums = values.sum(axis=tuple(other for other in range(3) if other != axis))
    distance = ((sums - size * values.mean()) ** 2).sum() / (size * spread) * (values.size - 1) / values.size
    return float(chdtrc(groups - 1, distance))


def _neighbours_p(filters: Filters) -> float:
    """Whether products of spatial neighbours sum to what independent values give; NaN where there is no neighbour."""
    axes = [axis for axis in range(2, filters.ndim) if filters.shape[axis] > 1]
    products = [_shifted(filters, axis, 0) * _shifted(filters, axis, 1) for axis in axes]
    scale = float((filters**2).mean()) * math.sqrt(sum(part.size for part in products))
    if not scale > 0:
        return float("nan")
    return math.erfc(abs(sum(float(part.sum()) for part in products)) / scale / math.sqrt(2))


def _shifted(filters: Filters, axis: int, by: int) -> Float[np.ndarray, "..."]:
    """All but the last (`by` 0) or all but the first (1) along an axis."""
    end = filters.shape[axis] - 1
    return np.moveaxis(np.moveaxis(filters, axis, 0)[by : by + end], 0, axis)


def _spaced(count: int, most: int) -> slice:
    """Every n-th of `count`, at most `most`."""
    return slice(None, None, max(1, math.ceil(count / most)))
