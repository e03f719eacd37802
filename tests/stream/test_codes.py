"""Codes on disk equal the activations that they came from, whole or not at all."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from audit.errors import AuditError, Unavailable
from audit.stream.codes import Codes, open_codes
from tests.stream.feeding import SEEDS, SIZES, fed, merged, noise


def test_a_code_of_maps_is_the_mean_of_each_unit(tmp_path: Path) -> None:
    maps = noise(size=(6, 7))
    table = fed(Codes(tmp_path / "conv1.npy"), maps, 7, 16).compute("conv1")
    assert {name: column.tolist() for name, column in table.columns.items()} == {
        "layer": ["conv1"],
        "file": ["conv1.npy"],
        "pictures": [23],
        "units": [5],
    }
    found = open_codes(tmp_path / "conv1.npy")[[22, 0, 5]]
    np.testing.assert_allclose(found, maps.mean(dim=(2, 3)).numpy()[[22, 0, 5]], rtol=1e-5)


def test_a_code_of_a_vector_is_the_vector(tmp_path: Path) -> None:
    maps = noise(size=(1, 1))
    fed(Codes(tmp_path / "fc.npy"), maps, 7, 16).compute("fc")
    assert (open_codes(tmp_path / "fc.npy")[range(23)] == maps.flatten(1).numpy()).all()


def test_codes_are_what_the_layer_returned_even_if_it_is_changed_afterwards(tmp_path: Path) -> None:
    maps = noise(4, size=(1, 1))
    kept = maps.flatten(1).numpy().copy()
    reducer = fed(Codes(tmp_path / "fc.npy"), maps)
    maps.zero_()
    reducer.compute("fc")
    assert (open_codes(tmp_path / "fc.npy")[range(4)] == kept).all()


@given(SIZES, SEEDS)
@settings(deadline=None, max_examples=15)
def test_merged_files_are_the_same_bytes_as_one_after_another(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], seed: int
) -> None:
    folder, maps = tmp_path_factory.mktemp("codes"), noise(sum(sizes), seed=seed)
    fed(Codes(folder / "one.npy"), maps, *sizes).compute("layer")
    merged(lambda: Codes(folder / "many.npy"), maps, sizes).compute("layer")
    assert (folder / "one.npy").read_bytes() == (folder / "many.npy").read_bytes()


def test_images_are_found_in_whatever_order_they_came(tmp_path: Path) -> None:
    maps = noise(8, size=(1, 1))
    reducer = fed(Codes(tmp_path / "fc.npy"), maps[4:], first=4)
    reducer.merge(fed(Codes(tmp_path / "fc.npy"), maps[:4]))
    reducer.compute("fc")
    codes = open_codes(tmp_path / "fc.npy")
    assert codes.images.tolist() == list(range(8))
    assert (codes[[1, 6]] == maps.flatten(1).numpy()[[1, 6]]).all()


@pytest.mark.parametrize("missing", [-1, 5, 99])
def test_an_image_without_a_code_is_named(tmp_path: Path, missing: int) -> None:
    maps = noise(8, size=(1, 1))
    reducer = fed(Codes(tmp_path / "fc.npy"), maps[:5])
    fed(reducer, maps[6:], first=6).compute("fc")
    with pytest.raises(KeyError, match=f"image {missing} has no code"):
        open_codes(tmp_path / "fc.npy")[[0, missing]]


def test_numbers_that_are_not_finite_are_kept_as_they_are(tmp_path: Path) -> None:
    maps = noise(3, size=(1, 1))
    maps[1, 0], maps[2, 4] = torch.nan, torch.inf
    fed(Codes(tmp_path / "fc.npy"), maps).compute("fc")
    np.testing.assert_array_equal(open_codes(tmp_path / "fc.npy")[range(3)], maps.flatten(1).numpy())


def test_before_the_end_there_is_no_file_and_after_it_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "fc.npy"
    reducer = fed(Codes(path), noise(), 7, 16)
    assert not path.exists()
    reducer.compute("fc")
    assert list(path.parent.iterdir()) == [path]


def test_codes_that_are_given_up_leave_nothing_and_touch_no_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "fc.npy"
    fed(Codes(path), noise()).compute("fc")
    before = path.read_bytes()
    given_up = fed(Codes(path), noise(seed=1), 7, 16)
    assert len(list(tmp_path.iterdir())) == 2
    del given_up
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_nothing_shown_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="fc"):
        Codes(tmp_path / "fc.npy").compute("fc")


def test_a_file_that_holds_no_codes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fc.npy"
    fed(Codes(path), noise()).compute("fc")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(AuditError, match="holds no codes"):
        open_codes(path)
    np.save(path, np.zeros(3))
    with pytest.raises(AuditError, match="holds no codes"):
        open_codes(path)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_codes_are_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    maps = noise(size=(1, 1)).to(dtype)
    fed(Codes(tmp_path / "fc.npy"), maps).compute("fc")
    found = open_codes(tmp_path / "fc.npy")[range(23)]
    assert found.dtype == np.float32
    assert (found == maps.flatten(1).float().numpy()).all()


@pytest.mark.cuda
def test_cuda_writes_what_the_cpu_does(tmp_path: Path) -> None:
    maps = noise(size=(1, 1))
    fed(Codes(tmp_path / "cpu.npy"), maps, 7, 16).compute("fc")
    fed(Codes(tmp_path / "cuda.npy"), maps.cuda(), 7, 16).compute("fc")
    assert (tmp_path / "cpu.npy").read_bytes() == (tmp_path / "cuda.npy").read_bytes()
