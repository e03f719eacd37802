"""defects.toml -> healthy models, the defects that are planted in them, and every planting: kind x place x strength."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

FILE = Path(__file__).with_name("defects.toml")
Strength = float | str
Where = Literal["places", "parts", "norms", "whole", "shown", "pictures"]
Must = Literal["always", "costly", "never"]


@dataclass(frozen=True)
class Place:
    """A layer whose units can be changed without touching others.

    `norm` holds scale and bias where there is one, `seen` is the rectified layer that shows the units, and `readers`
    are the layers that read them.
    """

    layer: str
    seen: str
    readers: tuple[str, ...]
    norm: str | None = None

    @property
    def holder(self) -> str:
        """The module that holds the units' bias, and their scale."""
        return self.norm or self.layer

    @property
    def layers(self) -> frozenset[str]:
        """Every layer that shows the units: a finding in one of them is at the place."""
        return frozenset({self.layer, self.holder, self.seen})


@dataclass(frozen=True)
class Subject:
    """A healthy checkpoint; `use` says whether thresholds may be chosen on it, `silent` which units hardly fire."""

    name: str
    use: Literal["tuning", "reporting"]
    pictures: int
    batch: int
    classifier: str
    first: str
    true_findings: frozenset[str]
    silent: Mapping[str, tuple[int, ...]]
    weightless: Mapping[str, tuple[int, ...]]
    places: Mapping[str, Place]
    parts: Mapping[str, tuple[str, ...]]
    norms: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Defect:
    """A kind of defect: what it is, how strongly it is planted, and which checks should name it."""

    kind: str
    title: str
    where: Where
    strength: str
    strengths: tuple[Strength, ...]
    expected: frozenset[str]
    found: Must
    models: tuple[str, ...] | None = None
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    few: Mapping[str, tuple[Strength, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Planting:
    """One defect in one model, once: `place` is a key of the subject's places, parts or norms, or empty."""

    subject: Subject
    defect: Defect
    place: str
    strength: Strength
    seed: int

    @property
    def id(self) -> str:
        """What the planting is called in tables and files."""
        parts = (self.subject.name, self.defect.kind, self.place, str(self.strength).replace(", ", "-"))
        return "/".join(part.replace(" ", "-") for part in parts if part)

    @property
    def layers(self) -> frozenset[str] | None:
        """Where a finding is at the defect's place: names of layers or the beginnings of names; None for anywhere."""
        subject = self.subject
        if self.defect.where == "places":
            return subject.places[self.place].layers
        named = {"parts": subject.parts, "norms": subject.norms}.get(self.defect.where, {}).get(self.place)
        return None if named is None or "*" in named else frozenset(named)


@dataclass(frozen=True)
class Definitions:
    """The whole file. A defect that costs `points` of accuracy must be found."""

    seed: int
    points: float
    subjects: Mapping[str, Subject]
    defects: tuple[Defect, ...]

    def plantings(self, model: str, kinds: frozenset[str] | None = None) -> Iterator[Planting]:
        """Every planting in that model, of those kinds or of all; LookupError names what is not in the file."""
        if model not in self.subjects:
            raise LookupError(f'no model "{model}" in {FILE.name}; there are {", ".join(self.subjects)}')
        if unknown := (kinds or frozenset()) - {defect.kind for defect in self.defects}:
            known = ", ".join(defect.kind for defect in self.defects)
            raise LookupError(f"no defect {', '.join(sorted(unknown))} in {FILE.name}; there are {known}")
        for defect in self.defects:
            if (kinds is None or defect.kind in kinds) and (defect.models is None or model in defect.models):
                yield from self._of(self.subjects[model], defect)

    def planting(self, model: str, kind: str, place: str, strength: Strength) -> Planting:
        """That one; LookupError if the file has no such planting."""
        for planting in self.plantings(model, frozenset({kind})):
            if (planting.place, planting.strength) == (place, strength):
                return planting
        raise LookupError(f'{FILE.name} plants no "{kind}" of strength {strength} at "{place}" in {model}')

    def _of(self, subject: Subject, defect: Defect) -> Iterator[Planting]:
        there_is = {"places": subject.places, "parts": subject.parts, "norms": subject.norms}.get(
            defect.where, {"": ()}
        )
        for place in defect.only.get(subject.name, tuple(there_is)):
            for strength in defect.few.get(subject.name, defect.strengths):
                yield Planting(subject, defect, place, strength, self.seed)


@cache
def definitions() -> Definitions:
    """The lab's file; LookupError if it names a place or a model that it does not define."""
    raw = tomllib.loads(FILE.read_text(encoding="utf-8"))
    subjects = {name: _subject(name, table) for name, table in raw["models"].items()}
    defects = tuple(_defect(table) for table in raw["defects"])
    _refuse_unknown(subjects, defects)
    return Definitions(raw["seed"], raw["points"], subjects, defects)


def _subject(name: str, table: Mapping[str, Any]) -> Subject:
    places = {
        layer: Place(layer, place["seen"], tuple(place["readers"]), place.get("norm"))
        for layer, place in table["places"].items()
    }
    return Subject(
        **{key: table[key] for key in ("use", "pictures", "batch", "classifier", "first")},
        name=name,
        true_findings=frozenset(table["true_findings"]),
        silent=_tuples(table.get("silent", {})),
        weightless=_tuples(table.get("weightless", {})),
        places=places,
        parts=_tuples(table["parts"]),
        norms=_tuples(table.get("norms", {})),
    )


def _defect(table: Mapping[str, Any]) -> Defect:
    return Defect(
        **{key: table[key] for key in ("kind", "title", "where", "strength", "found")},
        strengths=tuple(table["strengths"]),
        expected=frozenset(table["expected"]),
        models=tuple(table["models"]) if "models" in table else None,
        only=_tuples(table.get("only", {})),
        few=_tuples(table.get("few", {})),
    )


def _tuples(table: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {key: tuple(values) for key, values in table.items()}


def _refuse_unknown(subjects: Mapping[str, Subject], defects: tuple[Defect, ...]) -> None:
    for defect in defects:
        named = {*(defect.models or ()), *defect.only, *defect.few}
        unknown = sorted(named - set(subjects))
        for model, places in defect.only.items():
            unknown += sorted(set(places) - set(subjects[model].places)) if model in subjects else []
        if unknown:
            raise LookupError(f"{FILE.name}: {defect.kind} is planted in {', '.join(unknown)}, which is not defined")
