"""One model of an audit: its items get their verdicts, each from work that is done when an item first needs it."""

import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType

from audit import baseline, events, plan, registry
from audit.analyses import returned
from audit.analyses.natural import beside
from audit.analyses.task import Task
from audit.baseline import Accepted
from audit.checks.evidence import Check, Evidence
from audit.checks.returned import judgement
from audit.config import Config, LayerSection
from audit.config.reading import OF_WEIGHTS
from audit.errors import AuditError, NotApplicable, Unavailable
from audit.measurement import Data, Measurement, code_digest
from audit.measurement.once import Once
from audit.model.load import Model
from audit.plan import Subject, Watched
from audit.records import Claim, Finding, Item, Judgement, Layer, Pictures, Table, Verdict
from audit.store.work import Work, key
from audit.waivers import Waivers, waived
from audit.words import listed, plural

STOPPED = "not evaluated: the run stopped before it"


class Examination:
    """Verdicts, measurements and pictures of one model; `models` are all of the file, by name.

    `accepted` is what the baseline says of this one.
    """

    def __init__(
        self,
        config: Config,
        subject: Subject,
        items: Sequence[Item],
        data: Data,
        *,
        folder: Path,
        listener: events.Listener,
        models: Mapping[str, Model] = MappingProxyType({}),
        accepted: Accepted | None = None,
        waivers: Waivers | None = None,
        today: date | None = None,
    ):
        self.config, self.subject, self.items, self.models = config, subject, tuple(items), models
        self.accepted = accepted
        self.work, self.listener = Work(folder), listener
        self.waivers, self.today = waivers or Waivers(), today or datetime.now(UTC).date()
        self.measured = Measurement(
            config, subject.model, plan.needs(subject, items), data, work=self.work, listener=listener
        )
        self.pictures: dict[tuple[str, str], Pictures] = {}
        self.tables: list[Table] = []
        self._verdicts: dict[tuple[str | None, str], Verdict] = {}
        self._judgements: dict[tuple[str | None, str], Once[Judgement]] = {}

    def verdict(self, item: Item) -> Verdict:
        """What becomes of the item, whatever goes wrong; evaluated once."""
        place = (item.layer, item.task)
        if place not in self._verdicts:
            verdict = replace(self._evaluated(item), line=self._line(item))
            weights = self.subject.model.digest
            self._verdicts[place] = waived(verdict, self.waivers, weights, self.today, self._has_passed)
        return self._verdicts[place]

    def _has_passed(self, name: str) -> bool:
        return any(verdict.item.name == name and verdict.outcome == "passed" for verdict in self._verdicts.values())

    def skip(self, item: Item, reason: str) -> None:
        """Somebody decided that the item is not to be evaluated; a verdict that it already has stays."""
        self._verdicts.setdefault((item.layer, item.task), Verdict(item, "skipped", reason, line=self._line(item)))

    @property
    def evaluated(self) -> bool:
        """Whether any selected item has a verdict."""
        return any((item.layer, item.task) in self._verdicts for item in self.items)

    def verdicts(self) -> tuple[Verdict, ...]:
        """Of every selected item; one that was never evaluated is an error, not a pass."""
        return tuple(
            self._verdicts.get((item.layer, item.task)) or Verdict(item, "error", STOPPED, line=self._line(item))
            for item in self.items
        )

    def _evaluated(self, item: Item) -> Verdict:
        try:
            return self._judged(item) if self.subject.is_check(item) else self._analysed(item)
        except Unavailable as reason:
            return Verdict(item, "failed", f"unavailable: {reason}")
        except AuditError as error:
            return Verdict(item, "error", str(error))
        except (Exception, SystemExit) as error:
            said = registry.plugins().blame(error) or "the program itself failed:"
            return Verdict(item, "error", f"{said}\n{traceback.format_exc()}")

    def _line(self, item: Item) -> int:
        """Where the file asks for the item."""
        if not self.subject.is_check(item):
            return self.config.line(self.subject.layers[str(item.layer)].analyses[item.task])
        chosen = next(chosen for chosen in self.config.checks if item.task in (chosen.name, chosen.change))
        if item.task == chosen.change:
            return self.config.positions.of((*self.config.path(chosen), "change"))[0]
        return self.config.line(chosen)

    def _judged(self, item: Item) -> Verdict:
        try:
            if item.task in self.subject.changes:
                return _verdict(item, self._changed(item, self.subject.changes[item.task]))
            verdict = _verdict(item, self._judgement(item.layer, item.task))
        except NotApplicable as reason:
            if item.task not in self.subject.implied:
                raise
            return Verdict(item, "skipped", str(reason))
        judges = [
            task
            for task, watched in self.subject.changes.items()
            if (item.task, True) == (watched.check, watched.alone)
        ]
        return _measured_only(verdict, judges[0]) if judges else verdict

    def _judgement(self, layer: str | None, task: str) -> Judgement:
        """What the check says, asked once."""
        if (layer, task) not in self._judgements:
            check = self.subject.checks(layer)[task]
            looked_at = None if layer is None else self.subject.model.outline.layer(layer)
            outline, place = self.subject.model.outline, registry.plugins().place_of(type(check))
            self._judgements[layer, task] = Once(
                lambda: judgement(check.judge(self._evidence(check, looked_at)), outline, place)
            )
        return self._judgements[layer, task]()

    def _changed(self, item: Item, watched: Watched) -> Judgement:
        """The number of a check beside that of the baseline."""
        judged = self._judgement(item.layer, watched.check)
        check = self.subject.checks(item.layer)[watched.check]
        data = self.measured.data.fingerprint if set(check.needs) - OF_WEIGHTS else None
        name = baseline.key(replace(item, task=watched.check))
        try:
            entry = baseline.entry_of(self.accepted, name, watched.component, baseline.of_check(check), data)
            return baseline.held(judged, watched.allowed, entry)
        except Unavailable as reason:
            raise Unavailable(f"{reason} ({self.config.audit.baseline}); {self._how_to_accept()}") from None

    def beside_baseline(self) -> list[Table]:
        """What was accepted beside what is measured now; none where nothing was accepted."""
        if self.accepted is None:
            return []
        table = baseline.beside(self.accepted, self.verdicts(), self.measured.numbers.values)
        return [table] if table.rows else []

    def _how_to_accept(self) -> str:
        file = self.config.file.name
        return f'look at a run that is good, then "deepvis-audit baseline accept {file}"'

    def _evidence(self, check: Check, layer: Layer | None) -> Evidence:
        """What the check asks for, measured now if it was not before."""
        measured, model = self.measured, self.subject.model
        of_pass = plan.statistics() & set(check.needs)
        for need in sorted(of_pass & set(registry.plugins().names("statistic"))):
            for place in self.subject.layers if layer is None else [layer.name]:
                measured.units(model.outline.layer(place), need)  # or why it could not be measured
        tables: dict[str, Table] = {need: measured.table(need) for need in check.needs if measured.has_table(need)}
        looked_at = map(model.outline.layer, measured.needs.layers) if layer is None and of_pass else ()
        return Evidence(
            model.outline,
            measured.images if set(check.needs) - OF_WEIGHTS else 0,
            layer,
            {} if layer is None else measured.columns(layer),
            measured.numbers.values,
            {one.name: measured.columns(one) for one in looked_at},
            tables,
            model.labels,
            self.config.file.parent,
        )

    def _analysed(self, item: Item) -> Verdict:
        """An analysis that was done has passed."""
        layer = self.subject.model.outline.layer(str(item.layer))
        section = self.subject.layers[layer.name].analyses[item.task]
        if (broken := plan.broken(self.subject, item.task, section)) is not None:
            raise broken
        if item.task in registry.names("study"):
            return Verdict(item, "passed", _summed(self.measured.claims()))
        if item.task in registry.names("overview"):
            return self._overviewed(item, layer, section)
        if not plan.pictures(item.task):
            units = self.measured.units(layer, item.task)
            return Verdict(
                item, "passed", f"{plural(units, 'unit')} measured on {plural(self.measured.images, 'picture')}"
            )
        of_units = item.task not in plan.OF_LAYERS
        chosen = self._chosen(layer, section) if of_units else ()
        if of_units and not chosen:
            return Verdict(item, "passed", "no unit was flagged: none is pictured")
        pictures = self._beside_natural(self._pictured(item.task, layer, section, chosen), layer)
        self.pictures[layer.name, item.task] = pictures
        of = plural(len(chosen), "unit") if of_units else listed(pictures.names, 4)
        return Verdict(item, "passed", f"{of}, {plural(pictures.tiles.shape[1], 'picture')} each")

    def _chosen(self, layer: Layer, section: LayerSection) -> tuple[int, ...]:
        return plan.chosen_units(section, layer, self.config.audit.seed, self._flagged(layer, section))

    def _overviewed(self, item: Item, layer: Layer, section: LayerSection) -> Verdict:
        """Of the layer as a whole; from earlier work where nothing changed, else made now."""
        model = self.subject.model
        codes, images = self.measured.codes_of(layer), self.measured.data.images
        task = Task(model, layer, (), section, {}, self.config.audit.seed, self.listener, images, codes=codes)
        options = {"overview": item.task, "options": repr(section.tsne), "seed": task.seed, "labels": model.labels}
        of_plugin = registry.is_of_plugin("overview", item.task)
        if of_plugin:
            options |= {"options": repr(section), "plugin": registry.digest("overview", item.task)}
        made_by = key(layer=layer.name, **options, **self.measured.made_by)
        overview, found = plan.overview(item.task), self.work.get(made_by)
        if found is None:
            made = overview.run(task)
            found = [*(returned.overview(made, item.task, task) if of_plugin else made)]
            self.work.put(made_by, found)
        pictures, *tables = found
        assert isinstance(pictures, Pictures)
        self.pictures[layer.name, item.task] = pictures
        self.tables += [made for made in tables if isinstance(made, Table)]
        return Verdict(item, "passed", str(overview.said(found)))

    def _pictured(self, name: str, layer: Layer, section: LayerSection, units: tuple[int, ...]) -> Pictures:
        """From earlier work where nothing changed, else made now, and with it the table of the same name, if any."""
        analysis = plan.analysis(name)
        if self.measured.has_table(name):
            self.measured.table(name)
        shown = analysis.needs_data or (
            self.config.data is not None and plan.needs_pictures(self.subject, name, section)
        )
        presets = self.config.presets
        task = Task(
            model=self.subject.model,
            layer=layer,
            units=units,
            section=section,
            presets={preset: presets[preset] for preset in section.presets if preset in presets},
            seed=self.config.audit.seed,
            listener=self.listener,
            folder=self.config.file.parent,
            images=self.measured.data.images if shown else None,
            strongest=self.measured.strongest(layer) if shown else None,
            second=self._second(section, layer),
        )
        made_by = self._made_by(name, task)
        found = self.work.get(made_by)
        if found is None:
            made = analysis.run(task)
            found = [returned.pictures(made, name, task) if registry.is_of_plugin("analysis", name) else made]
            self.work.put(made_by, found)
        (pictures,) = found
        assert isinstance(pictures, Pictures)
        return pictures

    def _made_by(self, name: str, task: Task) -> str:
        common = {"analysis": name, "layer": task.layer.name, "units": task.units, "images": task.section.images}
        common |= {"origin": task.section.origin, "view": task.section.view, "occlusion": repr(task.section.occlusion)}
        if name in {"correspondence", "inversion"}:
            common |= {"options": repr(getattr(task.section, name))}
        if registry.is_of_plugin("analysis", name):
            common |= {"plugin": registry.digest("analysis", name), "section": repr(task.section)}
        pictures = {} if task.images is None else self.measured.made_by
        if plan.analysis(name).needs_data:
            return key(**common, **pictures, seed=task.seed, labels=task.model.labels)
        presets = [(title, repr(preset), preset.contents()) for title, preset in task.presets.items()]
        section = task.model.section
        return key(
            **common,
            code=code_digest(),
            weights=task.model.digest,
            device=task.model.device.type,
            input=[section.input, section.mean, section.std],
            presets=presets,
            pictures=pictures,
            canvas=task.section.canvas,
            objective=task.section.objective,
            directions=[repr(direction) for direction in task.section.directions],
            rates=task.section.rates,
            precision=task.section.precision,
            second=None
            if task.second is None
            else [task.second.digest, task.second.section.mean, task.second.section.std],
        )

    def _second(self, section: LayerSection, layer: Layer) -> Model | None:
        """The model that is asked whether it recognises the layer's classes; none that would only ask itself."""
        if section.recognised_by in (None, self.subject.name) or not self.subject.model.outline.is_output(layer):
            return None
        return self.models.get(str(section.recognised_by))

    def _beside_natural(self, pictures: Pictures, layer: Layer) -> Pictures:
        """Optimized images beside the pictures of the audit, where a pass that was asked for measures the layer.

        Nothing else is asked of the pictures: they are no part of how the images are made.
        """
        if "activation" not in pictures.numbers or layer.name not in self.measured.needs.layers:
            return pictures
        try:
            return beside(pictures, self.measured.strongest(layer), self.measured.slope(pictures.size))
        except Exception:  # what is wrong with the pictures is said by the items that need them
            return pictures

    def _flagged(self, layer: Layer, section: LayerSection) -> list[Finding]:
        """What the checks found in the layer, or in the layer that rectifies it; only where the section asks for it.

        Unavailable where no check looks there, or one of them could not judge: unknown is not "no unit".
        """
        if section.units != "flagged":
            return []
        verdicts = [
            self.verdict(Item(self.items[0].file, self.subject.name, place, task))
            for place, task in plan.flaggers(self.subject, layer)
        ]
        if not verdicts:
            raise Unavailable(f"no check looks at {layer.name}, so none can flag its units")
        for verdict in verdicts:
            if verdict.measured is None:
                raise Unavailable(f"{verdict.item.task} flags the units, and has not judged: {verdict.message}")
        found = [finding for verdict in verdicts for finding in verdict.findings]
        return [finding for finding in found if finding.layer in (layer.name, layer.activation)]


def _summed(claims: Sequence[Claim]) -> str:
    """How many claims there are, and how many of them hold."""
    count = Counter(claim.outcome for claim in claims)
    said = [f"{count['holds']} hold", f"{count['inconclusive']} inconclusive", f"{count['contradicted']} contradicted"]
    return f"{plural(len(claims), 'claim')} of the paper held against the network: {', '.join(said)}"


def _verdict(item: Item, judgement: Judgement) -> Verdict:
    return Verdict(
        item,
        "passed" if judgement.passed else "failed",
        judgement.message,
        judgement.measured,
        judgement.limit,
        judgement.good,
        judgement.unit,
        judgement.findings,
        asked=judgement.limit if judgement.asked is None else judgement.asked,
    )


def _measured_only(verdict: Verdict, judge: str) -> Verdict:
    """The number of a check whose limit nobody asks: neither good nor bad by itself."""
    message = f"{verdict.message}; measured only: its change is judged, by {judge}"
    return replace(verdict, outcome="skipped", message=message, limit=None, asked=None)
