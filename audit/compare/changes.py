"""The words of a comparison: what can become of weights, units, items and numbers between a run A and a run B."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from audit.records import Outcome
from audit.words import listed, plural

Status = Literal["equal", "permuted", "re-trained", "resized", "only in A", "only in B"]
"""Of a layer's own weights. Permuted: the same numbers, bit for bit, with units or inputs in another order."""

Fate = Literal["died", "gone", "drifted", "re-trained", "unclear", "appeared", "swapped", "moved", "same"]

FATES: dict[Fate, str] = {
    "died": "fired in A, fires on no picture in B",
    "gone": "is in A and has no counterpart in B",
    "drifted": "answers to pictures otherwise than it did",
    "re-trained": "its weights differ, and no activations tell how much that matters",
    "unclear": "too rarely active to be recognised by its activations",
    "appeared": "is new in B, or never fired in A",
    "swapped": "changed places with another unit",
    "moved": "is the same unit at another place",
    "same": "is what it was",
}
"""What can become of a unit, the worst first."""

HARMLESS: frozenset[Fate] = frozenset({"swapped", "moved", "same"})
"""What does not change what a network computes."""

KEPT: frozenset[Status] = frozenset({"equal", "permuted"})

Evidence = Literal["activations", "weights", "none"]


@dataclass(frozen=True)
class Pair:
    """A unit of A and the unit of B that it is taken for; None where it has none.

    `correlation` of what both answer to the same pictures; NaN where it is not known.
    """

    a: int | None
    b: int | None
    fate: Fate
    correlation: float = float("nan")

    def __str__(self) -> str:
        """`3`, `3 -> 5`, `3 -> none`."""
        if self.a == self.b:
            return str(self.a)
        return f"{'none' if self.a is None else self.a} -> {'none' if self.b is None else self.b}"


@dataclass(frozen=True)
class LayerChange:
    """What became of a layer; `status` is None where it has no weights of its own.

    `new` is how many of B's units have weights that no unit of A has. `evidence` is what units were matched by, and
    `reason` why it was not by activations. `unconfirmed`: its weights are in another order, and nothing behind them was
    measured that would show whether the network still computes the same.
    """

    name: str
    status: Status | None
    units: tuple[int, int]
    new: int
    pairs: tuple[Pair, ...]
    evidence: Evidence
    reason: str = ""
    unconfirmed: bool = False

    @property
    def fates(self) -> Counter[Fate]:
        """How many units met each fate."""
        return Counter(pair.fate for pair in self.pairs)

    @property
    def moved(self) -> int:
        """How many units are at another place than they were."""
        return sum(pair.a != pair.b for pair in self.pairs if pair.a is not None and pair.b is not None)

    @property
    def changed(self) -> bool:
        """Whether something else than the order differs, or that cannot be told."""
        return self.status not in (None, *KEPT) or self.unconfirmed or bool(set(self.fates) - HARMLESS)

    @property
    def untouched(self) -> bool:
        """Whether nothing differs, the order neither."""
        return self.status in (None, "equal") and set(self.fates) <= {"same"}


@dataclass(frozen=True)
class NumberChange:
    """A number of the model that differs; None where a run does not have it."""

    name: str
    a: float | None
    b: float | None


@dataclass(frozen=True)
class ItemChange:
    """An item that had another outcome."""

    layer: str | None
    task: str
    a: Outcome
    b: Outcome
    message: str

    @property
    def name(self) -> str:
        """`conv1::dead-units`."""
        return "::".join(part for part in (self.layer, self.task) if part is not None)


@dataclass(frozen=True)
class Side:
    """One of the two runs: its model, where it is, and the digests of its weights and pictures."""

    place: str
    model: str
    audit: str
    weights: str
    pictures: str
    started: str


@dataclass(frozen=True)
class Comparison:
    """All that is known of A and B together.

    `pictures` are those that both answered to (0: none), `other_pictures` why there are none. `differently` is how many
    of `answered` pictures the two give another first answer to. `alone` are the items that only one run evaluated.
    """

    a: Side
    b: Side
    layers: tuple[LayerChange, ...]
    items: tuple[ItemChange, ...]
    numbers: tuple[NumberChange, ...]
    alone: tuple[int, int]
    pictures: int
    other_pictures: str
    differently: int
    answered: int
    drifted_below: float

    @property
    def changed(self) -> bool:
        """Whether anything but the order of units differs, or cannot be told."""
        return any(layer.changed for layer in self.layers) or bool(self.items or self.numbers or self.differently)

    @property
    def outcome(self) -> Literal["equal", "permuted", "changed"]:
        """The comparison in one word."""
        if self.changed:
            return "changed"
        return "equal" if all(layer.untouched for layer in self.layers) else "permuted"

    def of(self, *statuses: Status) -> list[LayerChange]:
        """The layers whose weights have one of these."""
        return [layer for layer in self.layers if layer.status in statuses]

    @property
    def fates(self) -> Counter[Fate]:
        """How many units of all layers met each fate."""
        return sum((layer.fates for layer in self.layers), Counter[Fate]())

    @property
    def headline(self) -> str:
        """The comparison in one or two sentences, with what it rests on."""
        if self.outcome == "equal":
            return f"Nothing changed: {self.evidence}."
        if self.outcome == "permuted":
            moved = [layer.moved for layer in self.layers if layer.moved]
            where = f"{plural(sum(moved), 'unit')} of {plural(len(moved), 'layer')} changed places"
            return f"Permuted, nothing drifted: {where}, and nothing else changed; {self.evidence}."
        parts = [
            _named(word, self.of(word)) for word in ("re-trained", "resized", "only in A", "only in B", "permuted")
        ]
        parts += [_named("in an order that nothing confirms", [one for one in self.layers if one.unconfirmed])]
        parts += [self._where(fate) for fate in FATES if fate not in HARMLESS]
        parts += [f"{plural(len(self.items), 'item')} with another outcome" if self.items else ""]
        parts += [f"another answer to {self.differently} of {self.answered} pictures" if self.differently else ""]
        parts += [f"{plural(len(self.numbers), 'number')} changed" if self.numbers else ""]
        return "; ".join(part for part in parts if part).capitalize() + "."

    def _where(self, fate: Fate) -> str:
        """`units died: 2 of conv2, 1 of relu2`; those of a layer and of its rectifier are one and the same."""
        found = [(layer.fates[fate], layer.name) for layer in self.layers if layer.fates[fate]]
        counted = [f"{count} of {name}" for count, name in sorted(found, key=lambda one: -one[0])]
        return f"units {fate}: {listed(counted, 6)}" if found else ""

    @property
    def evidence(self) -> str:
        """What the comparison rests on."""
        weighed = [layer for layer in self.layers if layer.status is not None]
        answering = [layer for layer in self.layers if layer.evidence == "activations"]
        weights = "bit for bit" if self.outcome == "equal" else "bit for bit but for their order"
        parts = [f"the weights of {plural(len(weighed), 'layer')} are equal {weights}" if weighed else ""]
        if answering:
            units = sum(len(layer.pairs) for layer in answering)
            on = plural(self.pictures, "picture")
            parts.append(f"{plural(units, 'unit')} of {plural(len(answering), 'layer')} answer alike to {on}")
        if self.answered:
            parts.append(f"so do the outputs to {plural(self.answered, 'picture')}")
        parts.append(f"activations were not compared: {self.other_pictures}" if self.other_pictures else "")
        return ", ".join(part for part in parts if part)


def _named(word: str, layers: Sequence[LayerChange]) -> str:
    return f"{plural(len(layers), 'layer')} {word} ({listed([layer.name for layer in layers], 6)})" if layers else ""
