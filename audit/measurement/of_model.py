"""Everything that is known of one model, each thing measured when it is first asked for."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TypeGuard, TypeVar

import numpy as np
from jaxtyping import Float

from audit import events
from audit.analyses.natural import natural_slope
from audit.checks.evidence import Columns, Need
from audit.claims import supplement
from audit.config import Config
from audit.errors import PluginError, Unavailable
from audit.measurement.code import code_digest
from audit.measurement.data import Data
from audit.measurement.once import Once
from audit.measurement.one_pass import OnePass
from audit.model.load import Model
from audit.plan import Needs
from audit.records import Claim, Histogram, Layer, Numbers, Responses, Scalars, Table, TopK, joined
from audit.store.work import Work, key
from audit.stream.codes import CodeFile, open_codes
from audit.stream.fingerprints import fingerprints
from audit.stream.histogram import quantile_columns
from audit.stream.normalisations import normalisations
from audit.stream.parameters import parameters
from audit.stream.predictions import accuracy
from audit.stream.weights import filter_columns, first_filters, weights
from audit.trials.adversarial import adversarial
from audit.trials.flicker import flicker
from audit.trials.gradients import gradient_energy
from audit.trials.noise import noise
from audit.trials.preprocessing import preprocessing
from audit.trials.readers import next_weights

R = TypeVar("R", Scalars, Table, Numbers)


class Measurement:
    """Columns, strongest images, tables and numbers of one model. Nothing is measured before it is asked for."""

    def __init__(
        self, config: Config, model: Model, needs: Needs, data: Data, *, work: Work, listener: events.Listener
    ):
        self.config, self.model, self.needs = config, model, needs
        self.data, self.work, self.listener = data, work, listener
        self.one_pass = OnePass(config, model, needs, data, work=work, listener=listener)
        self._of_pass: dict[str, Columns] = {}
        self._of_weights: dict[str, Columns] = {}
        self._studied = Once(self._study_first)
        self._claims = Once(self._held)
        self._tables: dict[Need, Once[Table]] = {need: Once(make) for need, make in self._makers.items()}

    @property
    def done(self) -> bool:
        """Whether the pass was asked for and ended well."""
        return self.one_pass.records.done

    @property
    def images(self) -> int:
        """How many pictures were shown."""
        return len(self.data.images) - self.one_pass.damaged.rows

    @property
    def made_by(self) -> Mapping[str, str]:
        """The digests of all that the pass depends on."""
        return self.one_pass.made_by

    def columns(self, layer: Layer) -> Columns:
        """Every number per unit that is known of the layer.

        Those of the pass, those of its own weights, those of the first convolution's filters, and the mean after the
        rectifier, which is "mean_activated".
        """
        of_pass = self._measured_columns(layer.name) if layer.name in self.needs.layers else {}
        columns = {**of_pass, **self._filters(layer.name)}
        first = self.model.outline.first_convolution
        if first is not None and layer.name == first.name:
            columns |= self._first_filters.columns
        if layer.activation in self.needs.layers and layer.activation is not None:
            columns["mean_activated"] = self._measured_columns(layer.activation)["mean"]
        if self._studied.done and layer == first:
            columns |= self._studied()
        return columns

    def strongest(self, layer: Layer) -> TopK:
        """The strongest images of each unit of the layer."""
        return next(found for found in self.extremes(layer) if found.end == "strongest")

    def extremes(self, layer: Layer) -> list[TopK]:
        """The strongest images of each unit, and the weakest."""
        return [record for record in self.one_pass.of_layer(layer.name) if isinstance(record, TopK)]

    @property
    def codes(self) -> dict[str, Path]:
        """The file of each layer whose codes were asked for and written."""
        return self.one_pass.codes if self.done else {}

    def codes_of(self, layer: Layer) -> CodeFile:
        """The codes of the layer after its rectifier, if it has one; Unavailable where they could not be had."""
        name = layer.activation or layer.name
        self.one_pass.of_statistic(name, "codes")
        return open_codes(self.one_pass.codes[name])

    def slope(self, size: tuple[int, int]) -> float:
        """Of the power spectrum of the pictures' centres, cut to that size (y, x): a mean over some of them."""
        made = self._kept(
            Numbers,
            "spectrum",
            lambda: Numbers({"slope": natural_slope(self.model, self.data.images, size)}),
            size=size,
        )
        return made.values["slope"]

    def histograms(self, layer: Layer) -> list[Histogram]:
        """The histogram of each unit, if it was asked for."""
        return [record for record in self.one_pass.of_layer(layer.name) if isinstance(record, Histogram)]

    def table(self, need: Need) -> Table:
        """The table of that name; Unavailable where it cannot be had."""
        return self._tables[need]()

    def claims(self) -> tuple[Claim, ...]:
        """What the paper's supplement says of networks, held against this one."""
        return self._claims()

    @property
    def claimed(self) -> tuple[Claim, ...]:
        """The claims, if somebody asked for them by now."""
        return self._claims() if self._claims.done else ()

    def has_table(self, need: str) -> TypeGuard[Need]:
        """Whether what is needed is a table, not a column."""
        return need in self._tables

    def units(self, layer: Layer, statistic: str) -> int:
        """Of how many units the statistic was measured; Unavailable, with the reason, where it could not be."""
        self.one_pass.of_statistic(layer.name, statistic)
        return layer.units

    def made(self) -> list[Table]:
        """Every table that was made by now."""
        damaged = [self.one_pass.damaged] if self.done else []
        spread = [supplement.spread(self.model.outline, self._of_all_layers)] if self._claims.done else []
        made = (table() for table in self._tables.values() if table.done)
        concepts = [self.data.concepts.table()] if self._of_layers("detectors") and self.data.concepts.names else []
        of_layers = [table for name in ("correlations", "detectors", "directions") for table in self._of_layers(name)]
        return [*damaged, *made, *of_layers, *concepts, *spread, self._fingerprints, *self._responses()]

    @cached_property
    def weights(self) -> Numbers:
        """What the parameters alone say."""
        return weights(self.model)

    @property
    def numbers(self) -> Numbers:
        """Every number of the model that is known by now."""
        known = dict(self.weights.values)
        if self.model.claimed_top1 is not None:
            known["claimed_top1"] = self.model.claimed_top1
        if self.done:
            known |= {"images": float(self.images)}
        if self._tables["predictions"].done:
            with suppress(Unavailable):  # no picture has a label
                known |= self.accuracy.values
        return Numbers(known)

    @cached_property
    def accuracy(self) -> Numbers:
        """Top-1 and top-5, where pictures have labels; DataError where labels are no outputs."""
        return accuracy(self.table("predictions"))

    @property
    def _makers(self) -> dict[Need, Callable[[], Table]]:
        return {
            "predictions": self._predictions,
            "attributes": lambda: self.one_pass.attributes,
            "parameters": lambda: parameters(self.model),
            "normalisations": lambda: normalisations(self.model),
            "preprocessing": self._preprocessing,
            "noise": lambda: self._tried("noise", noise),
            "flicker": lambda: self._tried("flicker", flicker),
            "adversarial": self._adversarial,
        }

    def _study_first(self) -> Columns:
        """How the next layer reads the first filters, and how much gradient arrives there; what can be had of it."""
        first = self.model.outline.first_convolution
        assert first is not None, "only a first convolution is studied"
        model, images, batch = self.model, self.data.images, self._batch
        columns: dict[str, Float[np.ndarray, " unit"]] = {}
        for name, make in (
            ("next weights", lambda: next_weights(model, first)),
            ("gradient energy", lambda: gradient_energy(model, first, images, self.listener, batch)),
        ):
            with suppress(Unavailable):
                columns |= self._kept(Scalars, name, make).columns
        return columns

    def _held(self) -> tuple[Claim, ...]:
        first = self.model.outline.first_convolution
        assert first is not None, "only a first convolution is studied"
        self._studied()
        activated = self.model.outline.layer(first.activation or first.name)
        histogram = next(iter(self.histograms(activated)), None)
        return supplement.of_model(self.model.outline, self.columns(first), self._of_all_layers, histogram)

    def _of_layers(self, name: str) -> list[Table]:
        """The table of that name, its rows those of all layers of which the pass made one; nothing if there is none."""
        if not self.done:
            return []
        records = [record for layer in self.needs.layers for record in self.one_pass.of_layer(layer)]
        return joined([record for record in records if isinstance(record, Table) and record.name == name])

    def _responses(self) -> list[Table]:
        """The table "responses", a row per unit: `layer`, `unit`, and a column per picture, named by its index."""
        if not self.done:
            return []
        records = [record for layer in self.needs.layers for record in self.one_pass.of_layer(layer)]
        return joined([_as_table(record) for record in records if isinstance(record, Responses)])

    @cached_property
    def _fingerprints(self) -> Table:
        """Of the weights alone; kept for them alone."""
        made_by = key(record="fingerprints", code=code_digest(), weights=self.model.digest)
        (record,) = self.work.get(made_by) or (None,)
        if not isinstance(record, Table):
            record = fingerprints(self.model)
            self.work.put(made_by, [record])
        return record

    def _predictions(self) -> Table:
        """What the model said of each picture, with the name of the picture."""
        table, images = self.one_pass.of_outputs(), self.data.images
        names = np.array([images.name(index) for index in table.columns["image"].tolist()], dtype=str)
        return Table(table.name, {"image": table.columns["image"], "name": names, **table.columns})

    def _preprocessing(self) -> Table:
        model, images, labels = self.model, self.data.images, self.one_pass.labels()
        batch = self._batch
        return self._kept(
            Table,
            "preprocessing",
            lambda: preprocessing(model, images, labels, self.listener, batch),
            labels=model.labels,
        )

    def _tried(self, name: str, trial: Callable[..., Table]) -> Table:
        """What a trial with noise says of every layer that was chosen."""
        model, images, layers, seed = self.model, self.data.images, self.needs.chosen, self.config.audit.seed
        batch = self._batch
        return self._kept(
            Table, name, lambda: trial(model, images, layers, self.listener, batch, seed), layers=layers, seed=seed
        )

    def _adversarial(self) -> Table:
        model, images, labels, seed = self.model, self.data.images, self.one_pass.labels(), self.config.audit.seed
        batch = self._batch
        return self._kept(
            Table,
            "adversarial",
            lambda: adversarial(model, images, labels, self.listener, batch, seed),
            labels=model.labels,
            seed=seed,
        )

    @property
    def _of_all_layers(self) -> Mapping[str, Columns]:
        return {name: self.columns(self.model.outline.layer(name)) for name in self.needs.layers}

    @property
    def _batch(self) -> int:
        assert self.config.data is not None, "images were opened"
        return self.config.data.batch

    def _kept(self, kind: type[R], name: str, make: Callable[[], R], **made_by: object) -> R:
        """A record of earlier work, or made now and kept."""
        made = key(record=name, **made_by, **self.made_by)
        (record,) = self.work.get(made) or (None,)
        if not isinstance(record, kind):
            record = make()
            self.work.put(made, [record])
        return record

    def _measured_columns(self, name: str) -> Columns:
        """What the pass says of the layer's units."""
        if name not in self._of_pass:
            self._of_pass[name] = self._columns_of_pass(name)
        return self._of_pass[name]

    def _columns_of_pass(self, name: str) -> Columns:
        columns: dict[str, Float[np.ndarray, " unit"]] = {}
        for record in self.one_pass.of_layer(name):
            if isinstance(record, Scalars):
                if twice := sorted(columns.keys() & record.columns.keys()):
                    raise PluginError(f'two statistics of {name} have the column "{twice[0]}"; rename that of a plugin')
                columns |= record.columns
            elif isinstance(record, Histogram):
                columns |= quantile_columns(record).columns
        return columns

    def _filters(self, name: str) -> Columns:
        """What the layer's own weights say of its units; nothing where it has none."""
        if name not in self._of_weights:
            self._of_weights[name] = {}
            with suppress(Unavailable):
                self._of_weights[name] = filter_columns(self.model, self.model.outline.layer(name)).columns
        return self._of_weights[name]

    @cached_property
    def _first_filters(self) -> Scalars:
        first = self.model.outline.first_convolution
        assert first is not None
        return first_filters(self.model, first, self.config.audit.seed)


def _as_table(responses: Responses) -> Table:
    units = len(responses.value)
    columns = zip(map(str, responses.images.tolist()), responses.value.T, strict=True)
    places = {"layer": np.full(units, responses.layer), "unit": np.arange(units)}
    return Table("responses", {**places, **dict(columns)})
