"""On how many pictures a unit fired -> on which share of such pictures it fires at most."""

import numpy as np
from jaxtyping import Float

CONFIDENCE = 0.95


def highest_share(shares: Float[np.ndarray, " unit"], images: int) -> Float[np.ndarray, " unit"]:
    """The upper end of the exact one-sided 95 % interval of each share of `images` (Clopper and Pearson 1934).

    NaN stays NaN.
    """
    from scipy.special import betaincinv

    fired = np.round(shares * images)
    return np.where(fired < images, betaincinv(fired + 1, np.maximum(images - fired, 1), CONFIDENCE), shares)


def how_often(share: float, highest: float, images: int) -> str:
    """What a finding says of a unit that fired on that share of the pictures."""
    return f"fires on {share * images:.0f} of {images} pictures, so on less than {highest:.2%} of such pictures"
