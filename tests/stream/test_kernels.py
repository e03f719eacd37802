"""Every way of summarizing activations against one slow definition in float64: by numba, by Triton, by torch."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.stream import kernels, totals
from audit.stream.kernels import cpu, cuda, plain
from audit.stream.kernels.cpu import WORTH_SHARING
from audit.stream.summary import Summary
from tests.stream.definition import INTERPRETED, LAYOUTS, SHAPES, TYPES, agrees, unruly

ROOT = Path(__file__).parents[2]
NUMBA = pytest.param(cpu.summarize, "cpu", id="numba")
TORCH = pytest.param(plain.summarize, "cpu", id="torch")
TRITON = pytest.param(cuda.summarize, "cuda", id="triton", marks=pytest.mark.cuda)

Kernel = Callable[[torch.Tensor], Summary]


@pytest.mark.parametrize(("kernel", "device"), [NUMBA, TORCH, TRITON])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_summary_is_that_of_each_map(
    kernel: Kernel, device: str, dtype: torch.dtype, layout: str, shape: tuple[int, ...]
) -> None:
    maps = unruly(shape, layout, dtype)
    agrees(kernel(maps.to(device)), maps)


def test_the_cuda_kernel_agrees_where_triton_interprets_it() -> None:
    pytest.importorskip("triton", reason="Triton is not installed")
    done = subprocess.run(
        [sys.executable, "-W", "ignore::RuntimeWarning", "-m", "tests.stream.definition"],
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{len(INTERPRETED) * len(LAYOUTS) + len(TYPES)} agree\n", done.stderr


def test_activations_of_float64_keep_their_precision() -> None:
    maps = 1 + 1e-9 * torch.randn(3, 5, 9, 7, dtype=torch.float64)
    assert kernels.chosen(maps.device, maps.dtype) is plain.summarize
    agrees(kernels.summarize(maps), maps)


def test_on_a_cpu_numba_is_chosen() -> None:
    assert kernels.chosen(torch.device("cpu"), torch.float32) is cpu.summarize


@given(st.floats(-1e4, 1e4, width=32), st.floats(0.0625, 4, width=32), st.integers(1, 300), st.integers(0, 2**31))
@settings(deadline=None, max_examples=40)
def test_a_mean_far_from_zero_costs_no_precision(shift: float, scale: float, positions: int, seed: int) -> None:
    noise = torch.randn(2, 3, positions, 1, generator=torch.Generator().manual_seed(seed))
    maps = noise * scale + shift
    for summarize in (cpu.summarize, plain.summarize):
        agrees(summarize(maps), maps)


@pytest.mark.parametrize("units", [1, 255, 257])
def test_threads_share_the_work_and_change_nothing(units: int) -> None:
    maps = torch.randn(5, units, 31, 31).to(memory_format=torch.channels_last)
    while maps.numel() < WORTH_SHARING:
        maps = torch.cat([maps, maps]).to(memory_format=torch.channels_last)
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            found.append(cpu.summarize(maps))
    finally:
        torch.set_num_threads(threads)
    for name in ("mean", "squares", "minimum", "peak", "minimum_at", "peak_at", "positive"):
        assert torch.equal(getattr(found[0], name), getattr(found[1], name)), name


def test_an_image_is_summarized_alike_in_any_company() -> None:
    maps = torch.randn(6, 70, 20, 20).to(memory_format=torch.channels_last)
    together, alone = cpu.summarize(maps), cpu.summarize(maps[4:5])
    assert torch.equal(together.mean[4:5], alone.mean)
    assert torch.equal(together.squares[4:5], alone.squares)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_totals_are_those_of_all_images_together(shape: tuple[int, ...]) -> None:
    maps = unruly(shape, "channels_last")
    summary, positions = cpu.summarize(maps), shape[2] * shape[3]
    plain_totals, found = totals.total(summary, positions), cpu.total(summary, positions)
    everything = maps.transpose(0, 1).flatten(1).double()
    for by_torch_or_numba in (plain_totals, found):
        expected = {
            "mean": everything.mean(dim=1),
            "squares": everything.var(dim=1, correction=0) * everything.shape[1],
            "minimum": everything.amin(dim=1),
            "maximum": everything.amax(dim=1),
            "non_finite": (~maps.isfinite().flatten(2).all(dim=2)).sum(dim=0),
            "firing": (maps > 0).flatten(2).any(dim=2).sum(dim=0),
            "positive": (maps > 0).sum(dim=(0, 2, 3)),
        }
        for name, column in expected.items():
            given, finite = getattr(by_torch_or_numba, name).double(), column.isfinite()
            if name in ("minimum", "maximum"):
                torch.testing.assert_close(given, column.double(), rtol=0, atol=0, equal_nan=True)
            else:  # an infinite mean may end as NaN
                assert torch.equal(given.isfinite(), finite), name
                torch.testing.assert_close(given[finite], column[finite].double(), rtol=2e-6, atol=1e-6)


def test_without_numba_torch_does_the_work_and_nothing_is_said() -> None:
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "import torch; from audit.stream import kernels; from audit.stream.kernels import plain\n"
        "assert kernels.chosen(torch.device('cpu'), torch.float32) is plain.summarize\n"
        "print(kernels.summarize(torch.ones(2, 3, 4, 5)).positive.tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[[20, 20, 20], [20, 20, 20]]\n", "")


def test_numba_is_imported_when_it_is_first_used() -> None:
    code = "import audit.stream.sweep, sys; print('numba' in sys.modules, 'triton' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "False False\n", done.stderr


def test_a_loop_that_cannot_be_kept_on_disk_is_compiled_all_the_same() -> None:
    from audit.stream.kernels.machine import machine

    made: dict[str, Callable[[int], int]] = {}
    exec("def loop(number): return number + 1", made)  # without a file there is no place for the machine code
    assert machine(made["loop"])(1) == 2
