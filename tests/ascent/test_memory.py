"""A batch is as large as is fast; it is cut where memory is short, and what comes out is the same."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audit.ascent.canvas import canvas_of
from audit.ascent.loop import ascend
from audit.ascent.memory import SHARE, default_batch, fitting, free, is_shortage, needed
from audit.ascent.objective import frozen
from audit.ascent.presets import Preset
from audit.ascent.rows import Job, Optimized, Rows
from audit.model.outline import outline

CPU = torch.device("cpu")
MIB = 2**20
MEAN = torch.full((3, 1, 1), 0.5)
SHORT = Preset(steps=3, learning_rate=1.0)


def test_larger_canvases_have_smaller_batches() -> None:
    sizes = [default_batch((side, side), CPU) for side in (7, 64, 224, 512, 5000)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1
    assert default_batch((224, 224), torch.device("cuda")) > default_batch((224, 224), CPU)


@pytest.mark.parametrize("side", [19, 95, 224])
def test_the_largest_tensor_of_a_step_of_squeezenet_stays_below_what_glibc_maps_anew_each_time(side: int) -> None:
    with torch.device("meta"):
        largest = nn.Conv2d(3, 96, 7, stride=2)(torch.empty(default_batch((side, side), CPU), 3, side, side))
    assert largest.nbytes < 32 * MIB


# What a batch needs


def rows(count: int, side: int) -> Rows:
    return Rows.of([Job(0, SHORT)] * count, 4, (side, side), MEAN)


def test_what_an_image_needs_is_what_is_kept_for_the_way_back_and_no_weights() -> None:
    """Of a convolution its input, of a ReLU its result, of a maximum over 2 x 2 its input and 8 bytes per result."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 500, 1))

    def look(count: int) -> Rows:
        with torch.enable_grad(), frozen(network):
            network(torch.zeros(count, 3, 64, 64, requires_grad=True)).sum().backward()
        return rows(count, 64)

    image, relu, maxima = 3 * 64 * 64 * 4, 8 * 64 * 64 * 4, 8 * 32 * 32 * (4 + 8)
    state = 4 * image  # the point, and three images
    assert needed(look, 2) - needed(look, 1) == pytest.approx(1.5 * (image + relu + maxima) + 3 * state, rel=0.01)


def batch_for(most: int, megabytes: int) -> int:
    """Of images that need so many megabytes each."""

    def look(count: int) -> Rows:
        with torch.enable_grad():
            wide = torch.zeros(count, megabytes * MIB // 4, requires_grad=True)
            wide.exp().sum().backward()
        return rows(count, 1)

    return fitting(most, look, CPU)


def test_the_rule_decides_where_there_is_memory_and_else_a_half_or_a_quarter_of_it() -> None:
    room = free(CPU)
    assert room is not None
    assert batch_for(12, 1) == 12
    assert batch_for(1, 1) == 1
    most = 4 * int(SHARE * room / (1.5 * 8 * MIB))
    assert batch_for(most, 8) in (most // 4, most // 8)  # other programs take and give while the test runs


def test_an_image_for_which_there_is_no_memory_is_tried_alone() -> None:
    assert batch_for(8, 2**22) == 1


# What there is


def planted(root: Path, files: dict[str, str]) -> int | None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return free(CPU, root)


MEMINFO = {
    "proc/meminfo": "MemTotal:       16000 kB\nMemFree:   100 kB\nMemAvailable:   9000 kB\nHugePages_Total:  0\n"
}
GROUP = {"proc/self/cgroup": "0::/jobs/one.slice\n"}


def limits(group: str, limit: str, used: int, cached: int = 0) -> dict[str, str]:
    place = f"sys/fs/cgroup/{group}".rstrip("/")
    stat = f"anon 5\ninactive_file {cached}\nactive_file 7\n"
    return {f"{place}/memory.max": f"{limit}\n", f"{place}/memory.current": f"{used}\n", f"{place}/memory.stat": stat}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        (MEMINFO, 9000 * 1024),
        (MEMINFO | GROUP | limits("jobs/one.slice", "max", 5), 9000 * 1024),
        (MEMINFO | GROUP | limits("jobs/one.slice", "5000", 1000, 200), 4200),
        (MEMINFO | GROUP | limits("jobs/one.slice", "5000", 1000) | limits("jobs", "3000", 2000), 1000),
        (MEMINFO | {"proc/self/cgroup": "0::/\n"} | limits("", "700", 500, 50), 250),
        (MEMINFO | {"proc/self/cgroup": "4:memory:/old\n0::/\n"} | limits("", "99999999999", 5), 9000 * 1024),
        (GROUP | limits("jobs", "5000", 5500), -500),
    ],
)
def test_there_is_what_is_available_within_the_limits_of_every_control_group(
    files: dict[str, str], expected: int | None, tmp_path: Path
) -> None:
    assert planted(tmp_path, files) == expected


@pytest.mark.cuda
def test_what_is_free_on_cuda_includes_what_torch_holds_for_later() -> None:
    device = torch.device("cuda")
    before = free(device)
    held = torch.zeros(256 * MIB, dtype=torch.uint8, device=device)
    during = free(device)
    del held
    after = free(device)
    assert before is not None
    assert during is not None
    assert after is not None
    assert before - during >= 256 * MIB
    assert after - during >= 256 * MIB


# When it is too little


@contextmanager
def room_for(extra: int) -> Iterator[None]:
    """Inside, this process can have so many bytes more, and no others."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + extra, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the limit is set by what Linux says of this process")
def test_on_a_cpu_too_a_batch_that_does_not_fit_is_halved() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 4, 3)).eval()
    layer = outline(network, (3, 128, 128)).layer("2")
    jobs = [Job(unit % 4, SHORT, seed=unit) for unit in range(32)]

    def climbed(batch: int) -> list[Optimized]:
        canvas = canvas_of(layer, (3, 128, 128), "full")
        return ascend(network, layer, jobs, canvas, mean=MEAN, std=MEAN, batch=batch)

    roomy = climbed(4)
    with room_for(200 * MIB):  # a map of 32 images has 128
        crowded = climbed(32)
    assert {image.batch for image in roomy} == {None}
    assert {image.batch for image in crowded} <= {16, 8, 4, 2, 1}
    for one, other in zip(roomy, crowded, strict=True):
        np.testing.assert_allclose(one.best_image, other.best_image, atol=1e-3)


def test_only_a_shortage_of_memory_is_taken_for_one() -> None:
    with pytest.raises(RuntimeError) as short:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_shortage(short.value)
    with pytest.raises(MemoryError) as shorter:
        np.empty(2**60, dtype=np.uint8)
    assert is_shortage(shorter.value)
    with pytest.raises(RuntimeError) as other:
        torch.zeros(2) @ torch.zeros(3)
    assert not is_shortage(other.value)


class Broken(nn.Module):
    """Raises what has nothing to do with memory."""

    def forward(self, images: Tensor) -> Tensor:
        if len(images) == 3:
            raise RuntimeError("three images are unlucky")
        return images


def test_another_error_is_not_swallowed() -> None:
    network = nn.Sequential(Broken(), nn.Conv2d(3, 4, 3)).eval()
    layer = outline(network, (3, 8, 8)).layer("1")
    with pytest.raises(RuntimeError, match="unlucky"):
        ascend(network, layer, [Job(0, SHORT)] * 3, canvas_of(layer, (3, 8, 8)), mean=MEAN, std=MEAN)
