"""A stored run as large as asked for, made in a minute: every unit has pictures of its own, cut from a few of noise.

    python benchmarks/large_report.py FOLDER [--units 5000] [--layers 10] [--optimized 36] [--patches 9] [--side 96]

The folder is what a run leaves: `deepvis-audit render FOLDER` makes its pages. Names, counts and sizes are those of a
run; numbers and pictures mean nothing. Pictures are smooth noise with gratings, as detailed as optimized images and
photographs are, because sizes of files and times depend on that.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from audit.records import Field, Finding, Item, Layer, Numbers, Outline, Pictures, Report, Scalars, Verdict
from audit.store import write

PRESETS = ("yosinski-1", "yosinski-2", "yosinski-3", "yosinski-4")
BANK = 64
"""Different pictures of each kind; those of a unit are parts of them, turned and shifted in colour."""


def report(units: int = 5000, layers: int = 10, optimized: int = 36, patches: int = 9, side: int = 96) -> Report:
    """A report with that many pictured units in that many layers; two of each layer never fire, which a check says."""
    rng = np.random.default_rng(0)
    each = units // layers
    names = [f"features.{index}" for index in range(layers)]
    outline = Outline(
        (3, 224, 224),
        tuple(
            Layer(name, "Conv2d", (each, 14, 14), 9 * each * each, False, None, Field((0, 0), (16, 16), (side, side)))
            for name in names
        ),
    )
    bank = _bank(2 * side, rng)
    return Report(
        audit="A large report",
        model="large",
        outline=outline,
        verdicts=tuple(verdict for name in names for verdict in _verdicts(name, each)),
        scalars=tuple(Scalars(name, _columns(each, rng)) for name in names),
        numbers=Numbers({"top1": 0.7, "images": 1000.0}),
        pictures=tuple(made for name in names for made in _pictures(name, range(each), (optimized, patches), bank)),
        provenance={
            "started": "2026-01-17T09:30:00+00:00",
            "seconds": "3600",
            "configuration": "audit.toml",
            **{f"{of} digest": rng.bytes(32).hex() for of in ("configuration", "weights", "data")},
            "seed": "0",
            "device": "cpu",
        },
    )


def _verdicts(layer: str, units: int) -> tuple[Verdict, ...]:
    findings = tuple(Finding(layer, unit, "fires on 0 of 1000 pictures", 0.0) for unit in (1, units - 1))
    message = f"2 of {units} units never fire on 1000 pictures"
    dead = Item("audit.toml", "large", layer, "dead-units")
    return (
        Verdict(dead, "failed", message, 200 / units, 0.0, "at most", "%", findings),
        *(
            Verdict(Item("audit.toml", "large", layer, task), "passed", f"{units} units")
            for task in ("optimized", "max-patches", "deconv")
        ),
    )


def _columns(units: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    share = rng.beta(4, 1.2, units)
    share[[1, -1]] = 0
    return {"mean": rng.gamma(2.0, 0.4, units), "std": rng.gamma(2.0, 0.8, units), "share_of_images": share}


def _pictures(layer: str, units: range, tiles: tuple[int, int], bank: np.ndarray) -> tuple[Pictures, ...]:
    optimized, patches = tiles
    images = [f"{12 - tile / 4:.4g} at (3, 9) of n0144{tile:04d}/photo_{7 * tile:05d}.jpg" for tile in range(patches)]
    runs = [f"{index % 9} · seed {index} · activation {30 - index / 10:.4g}" for index in range(optimized)]
    presets = PRESETS if optimized % len(PRESETS) == 0 else PRESETS[:1]
    made = (
        ("optimized", runs, presets, {"activation": np.tile(np.linspace(40, 10, optimized), (len(units), 1))}),
        ("max-patches", images, ("max patches",), {}),
        ("deconv", images, ("deconvnets",), {}),
    )
    return tuple(
        Pictures(
            layer,
            kind,
            tuple(units),
            Cut(bank, len(units), len(captions), f"{layer} {kind}"),
            (tuple(captions),) * len(units),
            groups,
            "noise of a benchmark",
            numbers,
        )
        for kind, captions, groups, numbers in made
    )


@dataclass(frozen=True)
class Cut:
    """Tiles of units, cut from a bank of larger pictures when they are asked for, each unit's in a tint of its own."""

    bank: UInt8[np.ndarray, "picture y x 3"]
    units: int
    tiles: int
    name: str

    @property
    def shape(self) -> tuple[int, ...]:
        side = self.bank.shape[1] // 2
        return (self.units, self.tiles, side, side, 3)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.bank.dtype

    def __len__(self) -> int:
        return self.units

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "tile y x 3"]]:
        return (self._unit(unit) for unit in range(self.units))

    def __getitem__(self, key: Any) -> UInt8[np.ndarray, "..."]:
        if isinstance(key, slice):
            return np.stack([self._unit(unit) for unit in range(self.units)[key]])
        first, *rest = key if isinstance(key, tuple) else (key,)
        return self._unit(first)[tuple(rest)]

    def _unit(self, unit: int) -> UInt8[np.ndarray, "tile y x 3"]:
        rng, side = np.random.default_rng([unit, *self.name.encode()]), self.shape[2]
        tint = rng.integers(160, 257, 3, dtype=np.uint16)
        pictures, corners = rng.integers(len(self.bank), size=self.tiles), rng.integers(side + 1, size=(self.tiles, 2))
        parts = [self.bank[i, y : y + side, x : x + side] for i, (y, x) in zip(pictures, corners, strict=True)]
        return (np.stack(parts) * tint >> 8).astype(np.uint8)


def _bank(side: int, rng: np.random.Generator) -> UInt8[np.ndarray, "picture side side 3"]:
    """Smooth noise in colours, with a grating."""
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side))) + 1 / side
    y, x = np.mgrid[:side, :side] / side
    pictures = np.empty((BANK, side, side, 3), np.uint8)
    for picture in pictures:
        noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=(3, side, side))) / radius**1.5).real
        noise /= noise.std(axis=(1, 2), keepdims=True)
        angle, waves = rng.uniform(0, np.pi), rng.uniform(3, 12)
        grating = np.cos(2 * np.pi * waves * (np.cos(angle) * x + np.sin(angle) * y))
        mixed = 0.5 + 0.15 * noise.transpose(1, 2, 0) + 0.2 * grating[..., None] * rng.uniform(-1, 1, 3)
        picture[:] = np.clip(mixed, 0, 1) * 255
    return pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    for name, most in (("units", 5000), ("layers", 10), ("optimized", 36), ("patches", 9), ("side", 96)):
        parser.add_argument(f"--{name}", type=int, default=most)
    asked = vars(parser.parse_args())
    folder, began = asked.pop("folder"), time.perf_counter()
    write(report(**asked), folder)
    print(f"{folder}: {asked['units']} units in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
