"""What is needed of the layers and of the outputs -> records, from earlier work or from one pass over the pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from audit import registry
from audit.config import Config, DataSection
from audit.data.attributes import Attributes
from audit.data.damage import Damages
from audit.data.images import label_index
from audit.errors import AuditError, without_labels
from audit.events import Listener
from audit.measurement.code import code_digest
from audit.measurement.data import Data
from audit.measurement.guarded import guarded
from audit.measurement.once import Once
from audit.model.load import Model
from audit.plan import Needs
from audit.records import Table
from audit.store.work import Made, Work, key
from audit.stream.predictions import Predictions
from audit.stream.reducer import Reducer
from audit.stream.statistics import Asked
from audit.stream.strongest import KEPT
from audit.stream.sweep import Lacking, sweep

Place = tuple[str, str]
"""A layer and the statistic that is measured there, or the output and PREDICTIONS."""

PREDICTIONS = "predictions"
CODES = "codes"
PICTURES = "pictures"
DAMAGED, ATTRIBUTES = (PICTURES, "damaged"), (PICTURES, "attributes")
"""What the pass says of the pictures themselves; no statistic of a layer has these names."""

DETECTORS, ROTATION = "detectors", "rotation"
LABELLED = frozenset({PREDICTIONS, "selectivity", DETECTORS, ROTATION})


class OnePass:
    """The pass over the pictures, made when a record of it is first asked for and not yet kept."""

    def __init__(self, config: Config, model: Model, needs: Needs, data: Data, *, work: Work, listener: Listener):
        self.config, self.model, self.needs, self.data = config, model, needs, data
        self.work, self.listener = work, listener
        self.records = Once(self._records)
        self._lacking: dict[Place, Lacking] = {}  # why a statistic has nothing to say
        self.labels = Once(self._labels)

    @property
    def made_by(self) -> Mapping[str, str]:
        """The digests of all that the records depend on."""
        section = self.model.section
        shown = {"input": section.input, "mean": section.mean, "std": section.std, "resize": section.resize}
        return {
            "code": code_digest(),
            "weights": self.model.digest,
            "data": self.data.fingerprint,
            "preprocessing": str(shown),
            "batch": str(self._section.batch),
            "device": self.model.device.type,
        }

    def of_layer(self, name: str) -> list[Made]:
        """Every record of a layer."""
        return [record for (layer, _), records in self.records().items() if layer == name for record in records]

    def of_statistic(self, layer: str, statistic: str) -> list[Made]:
        """The records of one statistic of a layer."""
        told = statistic == DETECTORS and self.data.concepts.names
        if statistic in LABELLED and not self.labels() and not told:
            raise without_labels()
        return self._of((layer, statistic))

    def of_outputs(self) -> Table:
        """What the model said of the pictures; whatever is wrong with the labels is said here, and nowhere else."""
        self.labels()
        return _table(self._of((self._output, PREDICTIONS)))

    def _of(self, place: Place) -> list[Made]:
        records = self.records()
        if place in self._lacking:
            raise self._lacking[place]
        return records[place]

    @property
    def codes(self) -> dict[str, Path]:
        """The file of each layer whose codes were written."""
        return {place[0]: self._file(place) for place in self.records() if place[1] == CODES}

    @property
    def damaged(self) -> Table:
        """The pictures that could not be shown."""
        return _table(self.records()[DAMAGED])

    @property
    def attributes(self) -> Table:
        """What the pictures that were shown look like."""
        return _table(self.records()[ATTRIBUTES])

    @property
    def _output(self) -> str:
        return self.model.outline.layers[-1].name

    @property
    def _wanted(self) -> list[Place]:
        of_layers = [(layer, statistic) for layer, those in self.needs.layers.items() for statistic in sorted(those)]
        of_outputs = [(self._output, PREDICTIONS)] if PREDICTIONS in self.needs.model else []
        of_pictures = [DAMAGED, *([ATTRIBUTES] if "attributes" in self.needs.model else [])]
        return [*of_pictures, *of_layers, *of_outputs]

    def _records(self) -> Mapping[Place, list[Made]]:
        keys = {place: self._key(place) for place in self._wanted}
        found = {place: records for place in keys if (records := self._earlier(place)) is not None}
        if DAMAGED in found:
            Damages.of(_table(found[DAMAGED]), len(self.data.images), self._section.damaged)
        missing = [place for place in keys if place not in found and self._possible(place)]
        if missing:
            for place, records in self._sweep(missing).items():
                found[place] = records
                if place not in self._lacking:
                    self.work.put(keys[place], records)
        return found

    def _earlier(self, place: Place) -> list[Made] | None:
        if place[1] == CODES and not self._file(place).exists():
            return None
        return self.work.get(self._key(place))

    def _file(self, place: Place) -> Path:
        """Where a layer's codes are."""
        return self.work.folder / f"{self._key(place)}.npy"

    def _key(self, place: Place) -> str:
        layer, statistic = place
        more: dict[str, object] = {"labels": self.model.labels} if statistic in LABELLED else {}
        if statistic == "activations":
            more = {"kept": self._kept}
        if statistic == DETECTORS:
            more |= {"concepts": self.data.concepts_digest, "seed": self.config.audit.seed}
        if statistic == ROTATION:
            more["seed"] = self.config.audit.seed
        if registry.is_of_plugin("statistic", statistic):
            more = {"kept": self._kept, "labels": self.model.labels, "seed": self.config.audit.seed}
            more["plugin"] = registry.digest("statistic", statistic)
        return key(layer=layer, statistic=statistic, **more, **self.made_by)

    @property
    def _kept(self) -> int:
        """How many of the strongest images are kept: as many as the paper shows, or as a layer is pictured with."""
        return max([KEPT, *(section.images for section in self.config.layers)])

    def _sweep(self, places: Sequence[Place]) -> dict[Place, list[Made]]:
        images = self.data.images
        chosen = {place: self._reducers(place) for place in places if place[0] != PICTURES}
        of_layer: dict[str, list[Reducer]] = {}
        for (layer, _), reducers in chosen.items():
            of_layer.setdefault(layer, []).extend(reducers)
        damages = Damages(len(images), self._section.damaged)
        attributes = Attributes(images) if ATTRIBUTES in places else None
        swept = sweep(
            self.model, images, of_layer, self._section.batch, self.listener, damages=damages, attributes=attributes
        )
        records = {layer: iter(those) for layer, those in swept.items()}
        made: dict[Place, list[Made]] = {}
        for place, reducers in chosen.items():
            those = [next(records[place[0]]) for _ in reducers]
            made[place] = [record for record in those if not isinstance(record, Lacking)]
            self._lacking.update((place, record) for record in those if isinstance(record, Lacking))
        of_pictures: dict[Place, list[Made]] = {DAMAGED: [damages.table()]}
        return made | of_pictures | ({ATTRIBUTES: [attributes.table()]} if attributes else {})

    @property
    def _section(self) -> DataSection:
        assert self.config.data is not None, "images were opened"
        return self.config.data

    def _reducers(self, place: Place) -> list[Reducer]:
        layer, statistic = place
        if statistic == PREDICTIONS:
            return [Predictions(self.labels())]
        of_plugin = registry.is_of_plugin("statistic", statistic)
        known = self.labels() if statistic in LABELLED else self._labels_if_any() if of_plugin else {}
        classes, images = self.model.outline.layers[-1].units, len(self.data.images)
        told = self.data.concepts.groupings if statistic == DETECTORS else ()
        asked = Asked(known, classes, self._kept, self._file(place), images, told, self.config.audit.seed)
        if of_plugin:
            return guarded(statistic, asked, self.model.outline.layer(layer).units)
        made: list[Reducer] = registry.load("statistic", statistic)(asked)
        return made

    def _possible(self, place: Place) -> bool:
        """Labels and concepts that cannot be had are the fault of what needs them, and of no other record."""
        if place[1] not in LABELLED:
            return True
        try:
            self.labels()
            if place[1] == DETECTORS:
                self.data.concepts  # noqa: B018  # read, or not to be had
        except Exception:  # raised again where it belongs
            return False
        return True

    def _labels_if_any(self) -> Mapping[int, int]:
        try:
            return self.labels()
        except AuditError:  # said by what needs them
            return {}

    def _labels(self) -> Mapping[int, int]:
        """Image index -> output index, where the label is known."""
        return label_index(self.data.images, self.model.labels, self.model.outline.layers[-1].units)


def _table(records: Sequence[Made]) -> Table:
    (record,) = records
    assert isinstance(record, Table)
    return record
