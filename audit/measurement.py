"""What one pass over the pictures says of a model: from earlier work where nothing changed, else measured now, once."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

import numpy as np
import torch
from jaxtyping import Float

import audit
from audit import events
from audit.checks.evidence import Columns
from audit.config import Config
from audit.data.images import Images, label_index, open_images
from audit.errors import AuditError, SectionError, Unavailable
from audit.model.load import Model
from audit.plan import Needs
from audit.records import Layer, Numbers, Scalars, TopK
from audit.store.work import Made, Work, key
from audit.stream.accuracy import Accuracy
from audit.stream.firing import Firing
from audit.stream.moments import Moments
from audit.stream.reducer import Reducer
from audit.stream.strongest import Strongest
from audit.stream.sweep import sweep
from audit.stream.weights import first_filters, weights

T = TypeVar("T")
COMPUTING = ("analyses", "ascent", "data", "demo", "model", "stream")


class Once(Generic[T]):
    """A value that is made when it is first asked for. What went wrong then stays wrong: there is no second try."""

    def __init__(self, make: Callable[[], T]):
        self._make, self._made = make, list[T]()
        self._failure: Exception | None = None
        self._where: TracebackType | None = None

    @property
    def done(self) -> bool:
        """Whether it was made."""
        return bool(self._made)

    def __call__(self) -> T:
        if self._failure is not None:
            raise self._failure.with_traceback(self._where)
        if not self._made:
            try:
                self._made.append(self._make())
            except Exception as failure:
                self._failure, self._where = failure, failure.__traceback__
                raise
        return self._made[0]


class Data:
    """The pictures of an audit, opened when they are first needed."""

    def __init__(self, config: Config):
        self.config = config
        self._images = Once(self._opened)
        self._fingerprint = Once(self._fingerprinted)

    @property
    def images(self) -> Images:
        """Unavailable without [data]; AuditError where it leads nowhere."""
        return self._images()

    @property
    def fingerprint(self) -> str:
        """Of all pictures; changes when any does."""
        return self._fingerprint()

    def _fingerprinted(self) -> str:
        return self.images.fingerprint()

    def _opened(self) -> Images:
        if self.config.data is None:
            raise Unavailable("there is no [data] section; say there where the pictures come from")
        try:
            return open_images(self.config.data, self.config.file.parent)
        except SectionError as error:
            problem = self.config.problem(("data", error.option), str(error))
            raise AuditError(str(replace(problem, file=self.config.file.name))) from error


class Measurement:
    """Columns, strongest images and numbers of one model. Nothing is measured before it is asked for."""

    def __init__(
        self, config: Config, model: Model, needs: Needs, data: Data, *, work: Work, listener: events.Listener
    ):
        self.config, self.model, self.needs = config, model, needs
        self.data, self.work, self.listener = data, work, listener
        self._records = Once(self._passed)
        self._labels = Once(self._label_index)

    @property
    def done(self) -> bool:
        """Whether the pass was asked for and ended well."""
        return self._records.done

    @property
    def images(self) -> int:
        """How many pictures were shown."""
        return len(self.data.images)

    def columns(self, layer: Layer) -> Columns:
        """Every number per unit that is known of the layer.

        Those of the pass, those of the first convolution's filters, and the mean after the rectifier, which is
        "mean_activated".
        """
        columns = dict(self._scalars(layer.name))
        first = self.model.outline.first_convolution
        if first is not None and layer.name == first.name:
            columns |= self._first_filters.columns
        if layer.activation in self._records() and layer.activation is not None:
            columns["mean_activated"] = self._scalars(layer.activation)["mean"]
        return columns

    def strongest(self, layer: Layer) -> TopK:
        """The strongest images of each unit of the layer."""
        return next(record for record in self._records()[layer.name] if isinstance(record, TopK))

    @cached_property
    def weights(self) -> Numbers:
        """What the parameters alone say."""
        return weights(self.model)

    @property
    def numbers(self) -> Numbers:
        """Every number of the model that is known by now."""
        known = dict(self.weights.values)
        if self.done:
            known |= {"images": float(self.images)}
            known |= self.accuracy.values if _OUTPUTS in self._records() else {}
        return Numbers(known)

    @property
    def accuracy(self) -> Numbers:
        """Top-1 and top-5; Unavailable where no picture has a label, DataError where labels are no outputs."""
        if _OUTPUTS not in self._records():
            self._labels()  # says why
        (numbers,) = self._records()[_OUTPUTS]
        assert isinstance(numbers, Numbers)
        return numbers

    @property
    def made_by(self) -> Mapping[str, str]:
        """The digests of all that the records depend on."""
        section = self.model.section
        shown = {"input": section.input, "mean": section.mean, "std": section.std, "resize": section.resize}
        batch = self.config.data.batch if self.config.data else 0
        return {
            "code": code_digest(),
            "weights": self.model.digest,
            "data": self.data.fingerprint,
            "preprocessing": str(shown),
            "batch": str(batch),
            "device": self.model.device.type,
        }

    def _scalars(self, name: str) -> dict[str, Float[np.ndarray, " unit"]]:
        return {
            column: values
            for record in self._records()[name]
            if isinstance(record, Scalars)
            for column, values in record.columns.items()
        }

    @cached_property
    def _first_filters(self) -> Scalars:
        first = self.model.outline.first_convolution
        assert first is not None
        return first_filters(self.model, first, self.config.audit.seed)

    def _passed(self) -> Mapping[str, list[Made]]:
        """By layer name, and the accuracy under a name of its own; from earlier work, else from one pass."""
        wanted = self._wanted
        keys = {name: self._key(name) for name in wanted}
        found = {name: records for name in wanted if (records := self.work.get(keys[name])) is not None}
        missing = [name for name in wanted if name not in found]
        if missing:
            for name, records in self._sweep(missing).items():
                self.work.put(keys[name], records)
                found[name] = records
        return found

    def _key(self, name: str) -> str:
        labels = {"labels": self.model.labels} if name == _OUTPUTS else {}
        return key(layer=name, **labels, **self.made_by)

    @property
    def _wanted(self) -> tuple[str, ...]:
        return (*self.needs.layers, _OUTPUTS) if self.needs.accuracy else self.needs.layers

    def _sweep(self, names: list[str]) -> dict[str, list[Made]]:
        """What one pass says of the layers. Labels that cannot be had are the accuracy's fault, and no layer's."""
        assert self.config.data is not None
        reducers: dict[str, list[Reducer]] = {
            name: [Moments(), Firing(), Strongest()] for name in names if name != _OUTPUTS
        }
        output = self.model.outline.layers[-1].name
        judged = _OUTPUTS in names and self._can_be_judged
        if judged:
            reducers.setdefault(output, []).append(Accuracy(self._labels()))
        if not reducers:
            return {}
        swept = sweep(self.model, self.data.images, reducers, self.config.data.batch, self.listener)
        records: dict[str, list[Made]] = {name: list(of_layer) for name, of_layer in swept.items()}
        if judged:
            records[_OUTPUTS] = [records[output].pop()]
        return {name: records[name] for name in names if name in records}

    @property
    def _can_be_judged(self) -> bool:
        try:
            return bool(self._labels())
        except Exception:  # `accuracy` raises it again, where it belongs
            return False

    def _label_index(self) -> Mapping[int, int]:
        """Image index -> output index; Unavailable where no picture has a label."""
        labels = label_index(self.data.images, self.model.labels, self.model.outline.layers[-1].units)
        if not labels:
            raise Unavailable(
                "no picture has a label: sort them into a folder per class, or let the factory return labels"
            )
        return labels


_OUTPUTS = "accuracy of the outputs"


@cache
def code_digest() -> str:
    """Of the source of everything that computes, and of the versions of what it computes with."""
    root = Path(audit.__file__).parent
    digest = hashlib.sha256(f"{audit.__version__} {torch.__version__} {np.__version__}".encode())
    for room in COMPUTING:
        for path in sorted((root / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
