"""One audit: selected items are evaluated on demand, and a report per model is written from what is known then."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

import audit
from audit import events, registry
from audit.analyses.inversion import inversions
from audit.analyses.pck import correspondences
from audit.analyses.summaries import invariances, summaries
from audit.checks.evidence import Columns
from audit.claims.directions import of_directions
from audit.claims.variation import of_variation, variations
from audit.config import Config, DataSection, ModelSection
from audit.errors import AuditError, StoreError, TemplateError, Unavailable, nearest
from audit.examination import Examination
from audit.history import rebuild
from audit.measurement import Data, code_digest
from audit.plan import Prepared
from audit.records import Histogram, Item, Outline, Pictures, Report, Scalars, Table, TopK, Verdict, joined
from audit.render import html
from audit.render.fresh import Kind, rendered
from audit.store import publish_latest, put_codes, write


@dataclass(frozen=True)
class Published:
    """Where the report of a model was written.

    `no_pdf` says why there is no PDF, `warning` that a page may be too large, `failures` which of the user's templates
    and renderers failed.
    """

    report: Report
    folder: Path
    latest: Path
    no_pdf: str | None
    warning: str | None
    failures: tuple[str, ...] = ()


class Session:
    """Items in, verdicts and reports out. `folder` is where reports go, the audit's own by default.

    `reports` are those that were made, by model, also where they could not be written.
    """

    def __init__(
        self,
        prepared: Prepared,
        items: Sequence[Item],
        folder: Path | None = None,
        listener: events.Listener | None = None,
    ):
        self.config = prepared.config
        self.folder = folder or prepared.config.file.parent / prepared.config.audit.report
        self.started = datetime.now(UTC)
        self.listener = events.Clock(listener or events.Silence())
        self.reports: dict[str, Report] = {}
        data = Data(prepared.config, self.listener)
        with registry.using(prepared.config.plugins):
            self._examinations = self._of_models(prepared, items, data)

    def _of_models(self, prepared: Prepared, items: Sequence[Item], data: Data) -> dict[str, Examination]:
        return {
            name: Examination(
                prepared.config,
                subject,
                chosen,
                data,
                folder=self.folder / ".work",
                listener=self.listener,
                models={other: one.model for other, one in prepared.subjects.items()},
                accepted=prepared.baseline.models.get(name),
                waivers=prepared.waivers,
                today=self.started.date(),
            )
            for name, subject in prepared.subjects.items()
            if (chosen := [item for item in items if item.model == name])
        }

    def evaluate(self, item: Item) -> Verdict:
        """The verdict on an item. Whatever goes wrong with it is its verdict and touches no other item."""
        with registry.using(self.config.plugins):
            return self._examinations[item.model].verdict(item)

    def skip(self, item: Item, reason: str) -> None:
        """Somebody decided that the item is not to be evaluated; a verdict that it already has stays."""
        self._examinations[item.model].skip(item, reason)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that have a selected item."""
        return tuple(self._examinations)

    @property
    def evaluated(self) -> bool:
        """Whether any item has a verdict."""
        return any(examination.evaluated for examination in self._examinations.values())

    def columns(self, model: str, layer: str) -> Columns:
        """Every number per unit of a layer that the items have measured; LookupError for another layer."""
        __tracebackhide__ = True
        measured = self._examinations[model].measured
        if layer not in measured.needs.layers:
            raise LookupError(
                f'{model} measures no layer "{layer}"; [[layers]] chooses what is measured'
                f"{nearest(layer, list(measured.needs.layers))}"
            )
        with registry.using(self.config.plugins):
            return measured.columns(measured.model.outline.layer(layer))

    def numbers(self, model: str) -> Mapping[str, float]:
        """The numbers of the whole model; those of its answers too, where an item needs them."""
        measured = self._examinations[model].measured
        with registry.using(self.config.plugins):
            if "predictions" in measured.needs.model:
                measured.table("predictions")
            return measured.numbers.values

    def publish(self, model: str) -> Published:
        """Writes the report of a model, with its pages; StoreError where it cannot be written.

        It becomes the latest once report.html is there: a PDF that cannot be made does not hide it, nor a renderer of
        a plugin that fails, nor the index of all runs, which comes last. Where the user's templates fail, the built-in
        ones make the page.
        """
        with registry.using(self.config.plugins), events.work(self.listener, f"{model}: report", 3) as advance:
            report = self.reports[model] = self.report(model)
            folder = _fresh(self.folder / report.model, self.started)
            write(report, folder)
            put_codes(self._examinations[model].measured.codes, folder)
            advance(1)
            failures = [_page(folder, "html", self.config)]
            latest = folder.parent / "latest"
            publish_latest(folder, latest)
            advance(1)
            no_pdf = None
            try:
                failures.append(_page(folder, "pdf", self.config))
            except Unavailable as reason:
                no_pdf = str(reason)
            failures += [_failure(name, report, folder) for name in self.config.audit.renderers]
            failures.append(_unlisted(self.folder))
            warning = html.warning(folder)
            return Published(report, folder, latest, no_pdf, warning, tuple(failure for failure in failures if failure))

    def report(self, model: str) -> Report:
        """What is known of a model now; a pass that failed leaves the measurements out."""
        with registry.using(self.config.plugins):
            return self._report(self._examinations[model])

    def _report(self, examination: Examination) -> Report:
        subject, measured = examination.subject, examination.measured
        scalars: list[Scalars] = []
        strongest: list[TopK] = []
        histograms: list[Histogram] = []
        if measured.done:  # else the verdicts of the items that needed it say why
            layers = [subject.model.outline.layer(name) for name in measured.needs.layers]
            scalars = [Scalars(layer.name, measured.columns(layer)) for layer in layers]
            strongest = [extreme for layer in layers for extreme in measured.extremes(layer)]
            histograms = [histogram for layer in layers for histogram in measured.histograms(layer)]
        pictures = tuple(examination.pictures.values())
        made = measured.made()
        shown = sorted({int(image) for record in strongest for image in record.image.flat if image >= 0})
        return Report(
            audit=self.config.audit.name,
            model=subject.name,
            outline=subject.model.outline,
            verdicts=examination.verdicts(),
            scalars=tuple(scalars),
            strongest=tuple(strongest),
            histograms=tuple(histograms),
            tables=(
                *made,
                *joined(examination.tables),
                *_summed(subject.model.outline, pictures),
                *examination.beside_baseline(),
            ),
            claims=(*measured.claimed, *of_variation(subject.model.outline, pictures), *of_directions(made)),
            numbers=measured.numbers,
            pictures=pictures,
            image_names={index: measured.data.images.name(index) for index in shown},
            labels=subject.model.labels,
            provenance=self._provenance(examination),
        )

    def _provenance(self, examination: Examination) -> Mapping[str, str]:
        model, data = examination.subject.model, examination.measured.data
        device = (
            torch.cuda.get_device_name(model.device)
            if model.device.type == "cuda"
            else platform.processor() or platform.machine()
        )
        return {
            "started": self.started.isoformat(timespec="seconds"),
            "seconds": f"{(datetime.now(UTC) - self.started).total_seconds():.1f}",
            "steps": _took(self.listener.steps, examination.subject.name),
            "configuration": self.config.file.name,
            "configuration digest": self.config.digest,
            "factory": model.section.factory,
            "checkpoint": model.section.checkpoint or "none: the factory's own weights",
            **({"checkpoint digest": model.file_digest} if model.file_digest else {}),
            "weights digest": model.digest,
            "data": _pictures(self.config.data),
            "preprocessing": _preprocessing(model.section),
            "data digest": data.fingerprint if examination.measured.done else "no pass over the pictures was made",
            "code digest": code_digest(),
            "seed": str(self.config.audit.seed),
            "device": f"{model.device} ({device})",
            "versions": ", ".join(
                [f"deepvis-audit {audit.__version__}", f"Python {platform.python_version()}"]
                + [f"{name} {version(name)}" for name in ("torch", "torchvision", "numpy")]
            ),
        }


def _summed(outline: Outline, pictures: Sequence[Pictures]) -> list[Table]:
    """What the pictures say together."""
    return [
        *summaries(pictures),
        *variations(outline, pictures),
        *correspondences(pictures),
        *invariances(pictures),
        *inversions(outline, pictures),
    ]


def _failure(renderer: str, report: Report, folder: Path) -> str | None:
    """Lets a renderer of a plugin write its files; a line on why it could not."""
    try:
        registry.load("renderer", renderer)(report, folder)
    except AuditError as error:
        return f"renderer {renderer}: {_line(error)}"
    except (Exception, SystemExit) as error:
        return f"renderer {renderer}: {registry.plugins().blame(error) or _line(error)}"
    return None


def _unlisted(reports: Path) -> str | None:
    """Makes the index of all runs again; a line on why it could not."""
    try:
        rebuild(reports)
    except Exception as error:
        return f"index: {_line(error)}"
    return None


def _line(error: BaseException) -> str:
    """What an error says, with its type where the error is none of ours."""
    said = " ".join(str(error).split())
    return said if isinstance(error, AuditError) else f"{type(error).__name__}: {said or 'no message'}"


def _page(folder: Path, kind: Kind, config: Config) -> str | None:
    """Makes a page, where the user's templates fail by the built-in ones; then a line on why.

    Unavailable where this machine cannot make it, StoreError where it should have been able to.
    """
    try:
        rendered(folder, kind, config.templates, config.audit.layout)
    except (TemplateError, StoreError) as error:
        if config.templates is None:
            raise
        page = rendered(folder, kind, layout=config.audit.layout).path.name
        return f"templates: {error}; {page} is made with the built-in ones"
    return None


def _fresh(parent: Path, started: datetime) -> Path:
    """A folder of that time that is not there yet."""
    name = started.strftime("%Y%m%d-%H%M%S")
    names = (name if number == 1 else f"{name}-{number}" for number in range(1, 10**6))
    return next(parent / name for name in names if not (parent / name).exists())


def _took(steps: Sequence[events.Step], model: str) -> str:
    """The longest work first; what was kept from an earlier run took none."""
    own = sorted((step for step in steps if step.work.startswith(f"{model}: ")), key=lambda step: -step.seconds)
    peaks = [step.peak_mib for step in steps if step.peak_mib is not None]
    said = [f"{step.work.removeprefix(f'{model}: ')} {step.seconds:.1f} s" for step in own]
    return "; ".join(
        [*(said or ["all kept from earlier runs"]), *([f"peak memory {max(peaks):.0f} MiB"] if peaks else [])]
    )


def _pictures(section: DataSection | None) -> str:
    """Where the pictures come from, as audit.toml says it."""
    if section is None:
        return "none: no [data]"
    said = [f"{key} {value}" for key in ("folder", "list", "shards", "factory") if (value := getattr(section, key))]
    return ", ".join([*said, *([f"limit {section.limit}"] if section.limit else [])])


def _preprocessing(section: ModelSection) -> str:
    """What becomes of a picture before the model sees it."""
    channels, height, width = section.input
    to_size = (
        f"resized to {height} x {width}"
        if section.resize is None
        else f"short side resized to {section.resize}, centre crop of {height} x {width}"
    )
    return f"{to_size}, {channels} channels in 0..1, minus mean {section.mean}, over std {section.std}"
