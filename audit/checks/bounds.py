"""The activation function of a layer -> between which values it keeps the units."""

from audit.records import Layer

BOUNDS = {
    "relu6": (0.0, 6.0),
    "sigmoid": (0.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
}
"""By the names of modules and functions in lower case; hard-tanh is not here, since its bounds are its own."""


def bounds(layer: Layer | None) -> tuple[float, float] | None:
    """(lowest, highest) value that the layer can have; None where there is no bound on both sides, or none is known."""
    return BOUNDS.get(layer.function) if layer else None
