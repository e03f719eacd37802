"""Comparison -> what is worth a line, the worst first."""

from audit.compare.changes import FATES, Comparison, LayerChange, Pair

STATUSES = ("only in A", "only in B", "resized", "re-trained", "permuted", "equal", None)


def changed_layers(comparison: Comparison) -> list[LayerChange]:
    """Layers of which anything differs: those whose own weights do, then those whose units do, by their worst unit."""
    touched = [layer for layer in comparison.layers if not layer.untouched]
    return sorted(touched, key=lambda layer: (STATUSES.index(layer.status), not layer.unconfirmed, _worst(layer)))


def changed_pairs(layer: LayerChange) -> list[Pair]:
    """Units of which anything differs, by what became of them and then by how little they are what they were."""
    order = list(FATES)
    touched = [pair for pair in layer.pairs if pair.fate != "same"]
    return sorted(touched, key=lambda pair: (order.index(pair.fate), pair.correlation))


def status_of(layer: LayerChange) -> str:
    """`re-trained (3 of 64)`, `equal`, `no weights`."""
    if layer.status is None:
        return "no weights"
    if layer.unconfirmed:
        return "permuted, unconfirmed"
    partly = layer.status == "re-trained" and layer.new < layer.units[1]
    return f"{layer.status} ({layer.new} of {layer.units[1]})" if partly else layer.status


def fates_of(layer: LayerChange) -> str:
    """`2 died, 5 drifted`; what the order of units became is said by the number that moved."""
    found = layer.fates
    return ", ".join(f"{found[fate]} {fate}" for fate in FATES if fate != "same" and found[fate])


def _worst(layer: LayerChange) -> tuple[int, int]:
    order = list(FATES)
    worst = min((order.index(fate) for fate in layer.fates), default=len(order))
    return worst, -sum(layer.fates[fate] for fate in layer.fates if order.index(fate) == worst)
