"""The commands `search` and `sweep`, less what is printed: what was asked for -> images, files, presets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from audit import events
from audit.errors import StoreError
from audit.measurement import Data
from audit.model.load import Model
from audit.plan import Prepared
from audit.search import search as searching
from audit.search import sweep as sweeping
from audit.search.asked import Place, Wish, places, second_model
from audit.search.draws import draws as drawn
from audit.search.natural import natural_slope
from audit.search.outcomes import count_steps
from audit.search.poster import poster
from audit.search.progress import Bar
from audit.search.scores import NATURAL_SLOPE
from audit.search.search import Found
from audit.search.settings import settings_csv
from audit.search.sheet import Sheet, of_search, of_sweep, page
from audit.search.sweep import Swept
from audit.search.table import table
from audit.search.wording import remark
from audit.search.writing import as_toml, write_presets
from audit.store.replacing import replace
from audit.store.work import Work

__all__ = ["Bar", "Wish", "asked", "presets", "publish_search", "publish_sweep", "search", "sweep", "table", "write"]


@dataclass(frozen=True)
class Asked:
    """An audit, and what is to be made of it."""

    prepared: Prepared
    places: tuple[Place, ...]
    second: Model | None

    @property
    def reports(self) -> Path:
        """Where the audit's reports are."""
        return self.prepared.config.file.parent / self.prepared.config.audit.report

    @property
    def work(self) -> Work:
        """Where the audit keeps what is finished."""
        return Work(self.reports / ".work")


def asked(prepared: Prepared, wish: Wish) -> Asked:
    """What a command line asks for; AuditError for what there is not."""
    found = places(prepared, wish)
    return Asked(prepared, found, second_model(prepared, wish, found))


def search(asked: Asked, draws: int, seeds: int, steps: int | None, listener: events.Listener) -> Found:
    """The settings, their images, and the four; DataError where too many pictures of [data] cannot be shown."""
    seed = asked.prepared.config.audit.seed
    settings, starts = drawn(draws, seed, steps), tuple(range(seed, seed + seeds))
    natural = [_natural(asked.prepared, place, listener) for place in asked.places]
    presets = [draw.preset for draw in settings]
    total = sum(count_steps(place, presets, starts) for place in asked.places)
    with events.work(listener, f"{draws} settings", total) as advance:
        return searching.search(
            asked.places, settings, starts, natural, work=asked.work, second=asked.second, advance=advance
        )


def sweep(asked: Asked, steps: int | None, listener: events.Listener) -> Swept:
    """The images of each regularizer, from none to too strong, from the audit's seed."""
    seed = asked.prepared.config.audit.seed
    presets = [preset for row in sweeping.settings(steps) for preset in row]
    total = sum(count_steps(place, presets, (seed,)) for place in asked.places)
    with events.work(listener, "regularizers", total) as advance:
        return sweeping.sweep(asked.places, seed, steps, work=asked.work, advance=advance)


def publish_search(found: Found, asked: Asked, folder: Path | None) -> tuple[Path, ...]:
    """settings.csv, sheet.html and sheet.png; StoreError where they cannot be written."""
    files = {"settings.csv": settings_csv(found).encode(), **_sheets(of_search(found))}
    return tuple(_published(files, folder or _folder(asked, "search")))


def publish_sweep(swept: Swept, asked: Asked, folder: Path | None) -> tuple[Path, ...]:
    """sheet.html and sheet.png; StoreError where they cannot be written."""
    return tuple(_published(_sheets(of_sweep(swept)), folder or _folder(asked, "sweep")))


def presets(found: Found) -> str:
    """The four as tables of audit.toml."""
    where = "; ".join(f"{place.layer.name} {', '.join(map(str, place.units))}" for place in found.places)
    remarks = {
        name: remark(found.draws[setting], len(found.draws), float(found.scores.score[setting]), where)
        for setting, name in found.names.items()
    }
    return as_toml(found.presets, remarks)


def write(found: Found, asked: Asked) -> None:
    """Puts the four into the audit file; AuditError where that cannot be."""
    write_presets(asked.prepared.config.file, presets(found))


def _natural(prepared: Prepared, place: Place, listener: events.Listener) -> float:
    data = prepared.config.data
    if data is None:
        return NATURAL_SLOPE
    return natural_slope(Data(prepared.config, listener).images, place, data.damaged)


def _folder(asked: Asked, command: str) -> Path:
    return asked.reports / asked.places[0].model.section.name / command


def _sheets(sheet: Sheet) -> dict[str, bytes]:
    return {"sheet.html": page(sheet).encode(), "sheet.png": poster(sheet)}


def _published(files: Mapping[str, bytes], folder: Path) -> Iterator[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    for name, content in files.items():
        yield replace(folder / name, content)
