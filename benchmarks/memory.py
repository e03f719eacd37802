"""Whether the pass needs more memory for more pictures: the peak resident memory of the demo's pass, with every
statistic of every layer, over 1,000 and over 10,000 of the demo's pictures, each in a process of its own.

    python benchmarks/memory.py [--pictures 1000 10000] [--batch 50] [--threads 2] [--json FILE]
"""

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from audit.config import DataSection, ModelSection
from audit.data.images import open_images
from audit.events import Silence
from audit.model.load import load
from audit.stream.correlation import Correlation
from audit.stream.firing import Firing
from audit.stream.histogram import Distribution
from audit.stream.maps import Maps
from audit.stream.moments import Moments
from audit.stream.saturation import Saturation
from audit.stream.strongest import Strongest, Weakest
from audit.stream.sweep import sweep

ROOT = Path(__file__).parent.parent
DEMO = ModelSection(
    name="demo",
    factory="audit.demo.network:network",
    arguments={"classes": 12},
    checkpoint="audit/demo/weights.safetensors",
    input=(3, 64, 64),
    mean=0.5,
    std=0.25,
)

REDUCERS = (Moments, Firing, Strongest, Weakest, Distribution, Saturation, Correlation, Maps)

Row = dict[str, object]


def main() -> None:
    """Prints the table, and writes it where --json says."""
    options = parsed()
    if options.alone:
        print(peak(options.pictures[0], options.batch, options.threads))
        return
    rows = measured(options.pictures, options.batch, options.threads)
    show(rows, options.batch)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path)
    parser.add_argument("--alone", action="store_true", help="print the peak of this process, in bytes")
    return parser.parse_args()


def measured(counts: list[int], batch: int, threads: int) -> list[Row]:
    """The peak for each number of pictures, and the last beside the first."""
    peaks = {count: in_a_process(count, batch, threads) for count in counts}
    rows: list[Row] = [
        {"name": f"peak memory, {count} pictures", "value": bytes_ / 2**20, "unit": "MiB"}
        for count, bytes_ in peaks.items()
    ]
    ratio = peaks[counts[-1]] / peaks[counts[0]]
    return [*rows, {"name": f"peak memory, {counts[-1]} / {counts[0]} pictures", "value": ratio, "unit": "ratio"}]


def in_a_process(count: int, batch: int, threads: int) -> int:
    """The peak of a process that does nothing else."""
    options = ["--alone", "--pictures", str(count), "--batch", str(batch), "--threads", str(threads)]
    command = [sys.executable, __file__, *options]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def peak(count: int, batch: int, threads: int) -> int:
    """Bytes of this process's peak resident memory, after the pass over so many pictures."""
    torch.set_num_threads(threads)
    model = load(DEMO, ROOT, torch.device("cpu"))
    source = DataSection(factory="audit.demo.generator:pictures", arguments={"count": count})
    reducers = {layer.name: [reducer() for reducer in REDUCERS] for layer in model.outline.layers}
    sweep(model, open_images(source, ROOT), reducers, batch, Silence())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def show(rows: list[Row], batch: int) -> None:
    table = Table("what", "value", "unit", title=f"The demo's pass, {batch} pictures in a batch")
    for row in rows:
        table.add_row(str(row["name"]), f"{row['value']:.4g}", str(row["unit"]))
    Console().print(table)


if __name__ == "__main__":
    main()
