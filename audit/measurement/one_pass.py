"""What is needed of the layers and of the outputs -> records, from earlier work or from one pass over the pictures."""

from collections.abc import Mapping, Sequence

from audit import registry
from audit.config import Config
from audit.data.images import label_index
from audit.errors import Unavailable
from audit.events import Listener
from audit.measurement.code import code_digest
from audit.measurement.data import Data
from audit.measurement.once import Once
from audit.model.load import Model
from audit.plan import Needs
from audit.store.work import Made, Work, key
from audit.stream.predictions import Predictions
from audit.stream.reducer import Reducer
from audit.stream.statistics import Truth
from audit.stream.sweep import sweep

Place = tuple[str, str]
"""A layer and the statistic that is measured there, or the output and PREDICTIONS."""

PREDICTIONS = "predictions"
LABELLED = frozenset({PREDICTIONS, "selectivity"})


class OnePass:
    """The pass over the pictures, made when a record of it is first asked for and not yet kept."""

    def __init__(self, config: Config, model: Model, needs: Needs, data: Data, *, work: Work, listener: Listener):
        self.config, self.model, self.needs, self.data = config, model, needs, data
        self.work, self.listener = work, listener
        self.records = Once(self._records)
        self.labels = Once(self._labels)

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

    def of_layer(self, name: str) -> list[Made]:
        """Every record of a layer."""
        return [record for (layer, _), records in self.records().items() if layer == name for record in records]

    def of_statistic(self, layer: str, statistic: str) -> list[Made]:
        """The records of one statistic of a layer."""
        if statistic in LABELLED and not self.labels():
            raise without_labels()
        return self.records()[layer, statistic]

    def of_outputs(self) -> list[Made]:
        """What the model said of the pictures; whatever is wrong with the labels is said here, and nowhere else."""
        self.labels()
        return self.records()[self._output, PREDICTIONS]

    @property
    def _output(self) -> str:
        return self.model.outline.layers[-1].name

    @property
    def _wanted(self) -> list[Place]:
        places = [(layer, statistic) for layer, those in self.needs.layers.items() for statistic in sorted(those)]
        return [*places, (self._output, PREDICTIONS)] if PREDICTIONS in self.needs.model else places

    def _records(self) -> Mapping[Place, list[Made]]:
        keys = {place: self._key(place) for place in self._wanted}
        found = {place: records for place in keys if (records := self.work.get(keys[place])) is not None}
        missing = [place for place in keys if place not in found and self._possible(place)]
        if missing:
            for place, records in self._sweep(missing).items():
                self.work.put(keys[place], records)
                found[place] = records
        return found

    def _key(self, place: Place) -> str:
        layer, statistic = place
        labels = {"labels": self.model.labels} if statistic in LABELLED else {}
        return key(layer=layer, statistic=statistic, **labels, **self.made_by)

    def _sweep(self, places: Sequence[Place]) -> dict[Place, list[Made]]:
        assert self.config.data is not None
        chosen = {place: self._reducers(place[1]) for place in places}
        of_layer: dict[str, list[Reducer]] = {}
        for (layer, _), reducers in chosen.items():
            of_layer.setdefault(layer, []).extend(reducers)
        swept = {
            layer: iter(records)
            for layer, records in sweep(
                self.model, self.data.images, of_layer, self.config.data.batch, self.listener
            ).items()
        }
        return {place: [next(swept[place[0]]) for _ in reducers] for place, reducers in chosen.items()}

    def _reducers(self, statistic: str) -> list[Reducer]:
        if statistic == PREDICTIONS:
            return [Predictions(self.labels())]
        known = self.labels() if statistic in LABELLED else {}
        made: list[Reducer] = registry.load("statistic", statistic)(Truth(known, self.model.outline.layers[-1].units))
        return made

    def _possible(self, place: Place) -> bool:
        """Labels that cannot be had are the fault of what needs them, and of no other record."""
        if place[1] not in LABELLED:
            return True
        try:
            self.labels()
        except Exception:  # `labels` raises it again, where it belongs
            return False
        return True

    def _labels(self) -> Mapping[int, int]:
        """Image index -> output index, where the label is known."""
        return label_index(self.data.images, self.model.labels, self.model.outline.layers[-1].units)


def without_labels() -> Unavailable:
    """Why nothing can be said of the labels."""
    return Unavailable("no picture has a label: sort them into a folder per class, or let the factory return labels")
