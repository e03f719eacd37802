"""What one pass over the pictures says of a model: from earlier work where nothing changed, else measured now, once."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
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

COMPUTING = ("analyses", "ascent", "data", "demo", "model", "stream")


class Data:
    """The pictures of an audit, opened when they are first needed."""

    def __init__(self, config: Config):
        self.config = config

    @cached_property
    def images(self) -> Images:
        """Unavailable without [data]; DataError where it leads nowhere."""
        if self.config.data is None:
            raise Unavailable("there is no [data] section; say there where the pictures come from")
        try:
            return open_images(self.config.data, self.config.file.parent)
        except SectionError as error:
            raise AuditError(str(self.config.problem(("data", error.option), str(error)))) from error

    @cached_property
    def fingerprint(self) -> str:
        """Of all pictures; changes when any does."""
        return self.images.fingerprint()


class Measurement:
    """Columns, strongest images and numbers of one model. Nothing is measured before it is asked for."""

    def __init__(self, config: Config, model: Model, needs: Needs, data: Data, work: Work, listener: events.Listener):
        self.config, self.model, self.needs = config, model, needs
        self.data, self.work, self.listener = data, work, listener
        self._failure: AuditError | None = None

    @property
    def started(self) -> bool:
        """Whether anything was asked of the pass."""
        return self._failure is not None or "_pass" in self.__dict__

    @property
    def images(self) -> int:
        """How many pictures were shown."""
        return len(self.data.images)

    def columns(self, layer: Layer) -> Columns:
        """Every number per unit that is known of the layer: the pass's, those of the first convolution's filters, and the
        mean after the rectifier ("mean_activated")."""
        columns = dict(self._scalars(layer.name))
        first = self.model.outline.first_convolution
        if first is not None and layer.name == first.name:
            columns |= self._first_filters.columns
        if layer.activation in self._records and layer.activation is not None:
            columns["mean_activated"] = self._scalars(layer.activation)["mean"]
        return columns

    def strongest(self, layer: Layer) -> TopK:
        """The strongest images of each unit of the layer."""
        return next(record for record in self._records[layer.name] if isinstance(record, TopK))

    @cached_property
    def weights(self) -> Numbers:
        """What the parameters alone say."""
        return weights(self.model)

    @property
    def accuracy(self) -> Numbers:
        """Top-1 and top-5; Unavailable where no picture has a label."""
        (numbers,) = self._records[_OUTPUTS]
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
            for record in self._records[name]
            if isinstance(record, Scalars)
            for column, values in record.columns.items()
        }

    @cached_property
    def _first_filters(self) -> Scalars:
        first = self.model.outline.first_convolution
        assert first is not None
        return first_filters(self.model, first, self.config.audit.seed)

    @property
    def _records(self) -> Mapping[str, list[Made]]:
        """By layer name; a pass that failed fails everything that needs it, and is not tried again."""
        if self._failure is not None:
            raise self._failure
        try:
            return self._pass
        except AuditError as failure:
            self._failure = failure
            raise

    @cached_property
    def _pass(self) -> Mapping[str, list[Made]]:
        keys = {name: key(layer=name, **self.made_by) for name in self._wanted}
        found = {name: records for name in self._wanted if (records := self.work.get(keys[name])) is not None}
        missing = [name for name in self._wanted if name not in found]
        if missing:
            for name, records in self._sweep(missing).items():
                self.work.put(keys[name], records)
                found[name] = records
        return found

    @property
    def _wanted(self) -> tuple[str, ...]:
        return (*self.needs.layers, _OUTPUTS) if self.needs.accuracy else self.needs.layers

    def _sweep(self, names: list[str]) -> dict[str, list[Made]]:
        assert self.config.data is not None
        reducers: dict[str, list[Reducer]] = {
            name: [Moments(), Firing(), Strongest()] for name in names if name != _OUTPUTS
        }
        output = self.model.outline.layers[-1]
        if _OUTPUTS in names:
            labels = label_index(self.data.images, self.model.labels, output.units)
            reducers.setdefault(output.name, []).append(Accuracy(labels))
        records: dict[str, list[Made]] = {}
        records.update(sweep(self.model, self.data.images, reducers, self.config.data.batch, self.listener))
        if _OUTPUTS in names:
            records[_OUTPUTS] = [records[output.name].pop()]
        return {name: records[name] for name in names}


_OUTPUTS = "accuracy of the outputs"


def code_digest() -> str:
    """Of the version and of the source of everything that computes."""
    root = Path(audit.__file__).parent
    digest = hashlib.sha256(audit.__version__.encode())
    for room in COMPUTING:
        for path in sorted((root / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
