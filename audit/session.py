"""One audit: selected items are evaluated on demand, and a report per model is written from what is known then."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

import audit
from audit import events
from audit.errors import AuditError, Unavailable
from audit.examination import Examination
from audit.measurement import Data, code_digest
from audit.plan import Prepared
from audit.records import Item, Numbers, Report, Scalars, TopK, Verdict
from audit.render import html, pdf
from audit.store import publish_latest, write


@dataclass(frozen=True)
class Published:
    """Where the report of a model was written; `no_pdf` says why there is no PDF."""

    report: Report
    folder: Path
    latest: Path
    no_pdf: str | None


class Session:
    """Items in, verdicts and reports out. `folder` is where reports go, the audit's own by default."""

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
        self.listener = listener or events.Silence()
        data = Data(prepared.config)
        self._examinations = {
            name: Examination(prepared.config, subject, chosen, data, self.folder / ".work", self.listener)
            for name, subject in prepared.subjects.items()
            if (chosen := [item for item in items if item.model == name])
        }

    def evaluate(self, item: Item) -> Verdict:
        """The verdict on an item. Whatever goes wrong with it is its verdict and touches no other item."""
        return self._examinations[item.model].verdict(item)

    def publish(self) -> list[Published]:
        """Writes the report of every model that has a selected item."""
        with events.work(self.listener, "reports", len(self._examinations)) as advance:
            published = []
            for examination in self._examinations.values():
                published.append(self._publish(examination))
                advance(1)
        return published

    def _publish(self, examination: Examination) -> Published:
        report = self._report(examination)
        folder = _fresh(self.folder / report.model, self.started)
        write(report, folder)
        html.render(folder)
        no_pdf = None
        try:
            pdf.render(folder)
        except Unavailable as reason:
            no_pdf = str(reason)
        latest = folder.parent / "latest"
        publish_latest(folder, latest)
        return Published(report, folder, latest, no_pdf)

    def _report(self, examination: Examination) -> Report:
        """What is known now; a pass that failed leaves the measurements out."""
        subject, measured = examination.subject, examination.measured
        scalars: list[Scalars] = []
        strongest: list[TopK] = []
        numbers = dict(measured.weights.values)
        try:
            if measured.started:
                layers = [subject.model.outline.layer(name) for name in measured.needs.layers]
                scalars = [Scalars(layer.name, measured.columns(layer)) for layer in layers]
                strongest = [measured.strongest(layer) for layer in layers]
                numbers |= {"images": float(measured.images)}
                numbers |= measured.accuracy.values if measured.needs.accuracy else {}
        except AuditError:
            pass  # the verdicts of the items that needed it say why
        shown = sorted({int(image) for record in strongest for image in record.image.flat if image >= 0})
        return Report(
            audit=self.config.audit.name,
            model=subject.name,
            outline=subject.model.outline,
            verdicts=examination.verdicts(),
            scalars=tuple(scalars),
            strongest=tuple(strongest),
            numbers=Numbers(numbers),
            pictures=tuple(examination.pictures.values()),
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
            "configuration": self.config.file.name,
            "configuration digest": self.config.digest,
            "factory": model.section.factory,
            "checkpoint": model.section.checkpoint or "none: the factory's own weights",
            "weights digest": model.digest,
            "data digest": data.fingerprint if examination.measured.started else "no picture was read",
            "code digest": code_digest(),
            "seed": str(self.config.audit.seed),
            "device": f"{model.device} ({device})",
            "versions": f"deepvis-audit {audit.__version__}, Python {platform.python_version()}, torch {torch.__version__}, "
            f"torchvision {version('torchvision')}, numpy {version('numpy')}",
        }


def _fresh(parent: Path, started: datetime) -> Path:
    """A folder of that time that is not there yet."""
    name = started.strftime("%Y%m%d-%H%M%S")
    names = (name if number == 1 else f"{name}-{number}" for number in range(1, 10**6))
    return next(parent / name for name in names if not (parent / name).exists())
