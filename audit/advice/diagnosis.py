"""A machine -> what of it is fit to run audits, what is slow, what is broken, and what to do about it."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from ctypes import CDLL, byref, c_int
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from audit.words import listed, plural

State = Literal["ok", "slow", "broken"]

PACKAGE = "deepvis-audit"
GIB = 1024**3
LITTLE_MEMORY = 4 * GIB
LITTLE_DISK = GIB
PANGO = "apt-get update && apt-get install -y --no-install-recommends libpangoft2-1.0-0 libharfbuzz-subset0"
"""Brings all that WeasyPrint needs on Debian and Ubuntu, and the DejaVu fonts."""
FAST_HALF = ("avx512_bf16", "amx_bf16", "bf16")
"""Features of a CPU that compute in bfloat16, by the names of the kernel; the last is that of ARM."""


@dataclass(frozen=True)
class Symptom:
    """One thing that was looked at: its state, what was seen, and what to do where it is not ok."""

    thing: str
    state: State
    seen: str
    advice: str = ""


def symptoms(reports: Path) -> Iterator[Symptom]:
    """Of the machine and the installation; `reports` is where reports would be written. No network is asked."""
    yield _python()
    yield from _packages()
    yield _plugin()
    yield _cpu()
    yield _memory()
    yield _gpu()
    yield _pdf()
    yield _fonts()
    yield _disk(reports)


def has_fast_half() -> bool:
    """Whether the CPU computes in bfloat16 itself; elsewhere it is converted back and forth."""
    return bool(set(FAST_HALF) & _features())


def _python() -> Symptom:
    seen = f"Python {platform.python_version()}, {platform.system()} {platform.release()}, {platform.machine()}"
    return Symptom("machine", "ok", seen)


def _packages() -> Iterator[Symptom]:
    """Those that differ from what our package asks for, each; else all in one line."""
    try:
        wanted = [Requirement(text) for text in requires(PACKAGE) or ()]
    except PackageNotFoundError:
        yield Symptom("packages", "broken", f"{PACKAGE} is not installed", f"pip install {PACKAGE}")
        return
    wanted = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = [symptom for requirement in wanted if (symptom := _package(requirement)) is not None]
    shown = ", ".join(
        f"{name} {version(name)}" for name in ("torch", "torchvision", "numpy", "pytest") if _is_here(name)
    )
    yield from wrong
    if not wrong:
        yield Symptom(
            "packages", "ok", f"{PACKAGE} {version(PACKAGE)}; all {len(wanted)} dependencies fit: {shown} ..."
        )


def _package(requirement: Requirement) -> Symptom | None:
    install = f'pip install "{requirement.name}{requirement.specifier}"'
    if not _is_here(requirement.name):
        return Symptom(requirement.name, "broken", "is not installed", install)
    there = version(requirement.name)
    if requirement.specifier.contains(there, prereleases=True):
        return None
    return Symptom(requirement.name, "broken", f"is {there}, needed {requirement.specifier}", install)


def _is_here(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _plugin() -> Symptom:
    found = [point for point in entry_points(group="pytest11") if point.name == "deepvis_audit"]
    if not found:
        return Symptom(
            "pytest plugin", "broken", "pytest does not know deepvis_audit", f"pip install --force-reinstall {PACKAGE}"
        )
    if os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        return Symptom("pytest plugin", "ok", "registered, but PYTEST_DISABLE_PLUGIN_AUTOLOAD is set: -p deepvis_audit")
    return Symptom("pytest plugin", "ok", f"registered: {found[0].value}")


def _cpu() -> Symptom:
    import torch

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = torch.get_num_threads()
    half = "bfloat16" if has_fast_half() else "no bfloat16"
    seen = f"{plural(usable, 'core')}, {plural(threads, 'thread')}, {torch.backends.cpu.get_cpu_capability()}, {half}"
    if threads > usable:
        return Symptom("CPU", "slow", seen, f"more threads than cores wait for each other: OMP_NUM_THREADS={usable}")
    if 2 * threads < usable:
        return Symptom("CPU", "slow", seen, "cores stand idle: raise or unset OMP_NUM_THREADS")
    return Symptom("CPU", "ok", seen)


def _features() -> set[str]:
    """What the kernel says that the CPU can do; nothing where it says nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return next((set(line.split(":")[1].split()) for line in lines if line.startswith(("flags", "Features"))), set())


def _memory() -> Symptom:
    free, total = _free_memory(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    seen = f"{free / GIB:.1f} of {total / GIB:.1f} GiB free"
    if free < LITTLE_MEMORY:
        return Symptom("memory", "slow", seen, "end other programs, or lower [data] batch")
    return Symptom("memory", "ok", seen)


def _free_memory() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))


def _gpu() -> Symptom:
    import torch

    built, driver = torch.version.cuda, _driver()
    versions = f"torch is built for {f'CUDA {built}' if built else 'the CPU alone'}; " + (
        f"the driver has CUDA {driver}" if driver else "no NVIDIA driver"
    )
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        return Symptom("GPU", "ok", f"{listed(names)}; {versions}")
    if driver is None:
        return Symptom("GPU", "ok", f"none, so the CPU computes; {versions}")
    advice = "install a newer driver" if built else "install torch built for CUDA"
    return Symptom("GPU", "slow", f"there is one that torch cannot use; {versions}", advice)


def _driver() -> str | None:
    """The CUDA version that the driver offers; None without a driver."""
    try:
        number, library = c_int(), CDLL("libcuda.so.1")
    except OSError:
        return None
    if library.cuDriverGetVersion(byref(number)) != 0 or number.value == 0:
        return None
    return f"{number.value // 1000}.{number.value % 1000 // 10}"


def _pdf() -> Symptom:
    """Tried in a process of its own, for the import changes how pictures are read."""
    tried = subprocess.run(
        [sys.executable, "-W", "always", "-c", "import weasyprint; print(weasyprint.__version__)"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if tried.returncode != 0:
        last = tried.stderr.strip().splitlines()[-1:] or ["no reason was given"]
        return Symptom("PDF", "broken", f"weasyprint cannot be imported: {last[0][:200]}", PANGO)
    if "HarfBuzz-Subset" in tried.stderr:
        return Symptom("PDF", "slow", f"weasyprint {tried.stdout.strip()} without libharfbuzz-subset0", PANGO)
    return Symptom("PDF", "ok", f"weasyprint {tried.stdout.strip()} and its system libraries")


def _fonts() -> Symptom:
    """Those that fontconfig knows, as WeasyPrint asks it; without any there are no letters in report.pdf."""
    program = shutil.which("fc-list")
    if program is None:
        return Symptom("fonts", "ok", "not known, since there is no fc-list")
    every, chinese = (
        subprocess.run([program, *asked], capture_output=True, text=True, check=False).stdout.splitlines()
        for asked in ((), (":lang=zh",))
    )
    if not every:
        return Symptom("fonts", "broken", "there are none", "apt-get install -y fonts-dejavu-core")
    cjk = "" if chinese else "; none for Chinese, Japanese and Korean names (fonts-noto-cjk)"
    return Symptom("fonts", "ok", plural(len(every), "font") + cjk)


def _disk(reports: Path) -> Symptom:
    """Whether reports can be written where they go, or in the folder in which theirs would be made."""
    place = next(folder for folder in (reports.absolute(), *reports.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        advice = "make the folder writable, or name another: [audit] report, or --report"
        return Symptom("reports", "broken", f"{place} cannot be written: {error.strerror or error}", advice)
    seen = f"{place} can be written, {free / GIB:.1f} GiB free"
    if free < LITTLE_DISK:
        return Symptom("reports", "slow", seen, "make room, or name another folder: --report")
    return Symptom("reports", "ok", seen)
