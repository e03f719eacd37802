"""What the model is shown, against torchvision's transforms and plain definitions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from audit.config import DataSection, ModelSection
from audit.data.damage import PictureError
from audit.data.display import centred, rgb
from audit.data.images import open_images
from audit.data.preprocess import batches, fit, load, normalized


def section(channels: int, height: int, width: int, **more: Any) -> ModelSection:
    return ModelSection(name="m", factory="m.py:m", input=(channels, height, width), **more)


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


sizes = st.integers(5, 60)


@given(sizes, sizes, st.integers(3, 20), st.integers(3, 20), st.integers(0, 9))
@settings(deadline=None, max_examples=80)
def test_resize_and_centre_crop_are_torchvisions(tall: int, wide: int, height: int, width: int, more: int) -> None:
    picture, resize = Image.fromarray(noise(tall, wide)), max(height, width) + more
    plain = transforms.Compose([transforms.Resize(resize), transforms.CenterCrop((height, width))])
    expected = np.asarray(plain(picture)).transpose(2, 0, 1)
    found = fit(picture, section(3, height, width, resize=resize))
    assert found.dtype == torch.uint8
    np.testing.assert_array_equal(found, expected)


@given(sizes, sizes, sizes, sizes)
@settings(deadline=None, max_examples=30)
def test_without_resize_a_picture_is_stretched_to_the_input(tall: int, wide: int, height: int, width: int) -> None:
    picture = Image.fromarray(noise(tall, wide))
    expected = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    np.testing.assert_array_equal(fit(picture, section(3, height, width)), expected)


def test_a_picture_of_the_inputs_size_is_shown_as_it_is() -> None:
    pixels = noise(7, 9)
    np.testing.assert_array_equal(fit(pixels, section(3, 7, 9)), pixels.transpose(2, 0, 1))


def test_gray_pictures_are_repeated_and_colour_is_weighed_to_gray() -> None:
    gray = noise(4, 5, 1)[:, :, 0]
    for picture in (gray, gray[:, :, None], Image.fromarray(gray)):
        assert (fit(picture, section(3, 4, 5)).numpy() == gray).all()
        assert (fit(picture, section(1, 4, 5)).numpy() == gray).all()
    colour = noise(4, 5)
    found = fit(Image.fromarray(colour), section(1, 4, 5)).numpy()[0]
    assert np.abs(found - colour @ np.array([0.299, 0.587, 0.114])).max() <= 1


def test_five_channels_are_resized_one_by_one() -> None:
    pixels = noise(12, 10, 5)
    found = fit(pixels, section(5, 6, 7)).numpy()
    for channel in range(5):
        plane = Image.fromarray(pixels[:, :, channel]).resize((7, 6), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(found[channel], np.asarray(plane))


def test_palettes_masks_and_transparency_are_shown_in_colour() -> None:
    colour = Image.fromarray(noise(4, 5) // 64 * 64)
    for mode in ("P", "RGBA", "CMYK", "1", "LA"):
        shown = fit(colour.convert(mode), section(3, 4, 5)).numpy()
        np.testing.assert_array_equal(shown, np.asarray(colour.convert(mode).convert("RGB")).transpose(2, 0, 1))
    alpha = Image.fromarray(noise(4, 5, 4))
    np.testing.assert_array_equal(fit(alpha, section(4, 4, 5)), np.asarray(alpha).transpose(2, 0, 1))


def test_sixteen_bits_are_scaled_not_cut_off() -> None:
    deep = np.array([[0, 255, 256, 1000, 40000, 65535]], np.uint16)
    for channels in (1, 3):
        found = fit(Image.fromarray(deep), section(channels, 1, 6)).numpy()
        assert (found == [[0, 1, 1, 4, 156, 255]]).all()


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (noise(4, 4, 2), "2 channels; the model's input has 3"),
        (noise(4, 4).astype(np.float32), r"float32 of shape \(4, 4, 3\); needed is uint8"),
        (torch.zeros(3, 5, 4), r"shape \(3, 5, 4\); the model's input is \(3, 4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.int64), "int64; needed is uint8"),
        (torch.full((3, 4, 4), 200.0), "values from 200 to 200; needed are pixels of 0..1"),
        (torch.full((3, 4, 4), -0.5), "values from -0.5"),
        (torch.full((3, 4, 4), torch.nan), "values from nan"),
        ({"image": 1}, "object of shape"),
    ],
)
def test_what_is_no_picture_for_this_model_is_refused(picture: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        fit(picture, section(3, 4, 4))


def test_the_error_names_the_picture(tmp_path: Path) -> None:
    Image.fromarray(noise(4, 4)).save(tmp_path / "a.png")
    images = open_images(DataSection(folder="."), tmp_path)
    with pytest.raises(PictureError, match=r'"a\.png": a picture has 3 channels; the model\'s input has 5'):
        load(images, 0, section(5, 4, 4))


def test_batches_come_in_order_between_zero_and_one(tmp_path: Path) -> None:
    for index in range(7):
        Image.new("L", (3, 2), 30 * index).save(tmp_path / f"{index}.png")
    images = open_images(DataSection(folder="."), tmp_path)
    found = list(batches(images, range(7), section(1, 2, 3), 3))
    assert [list(part) for _, part in found] == [[0, 1, 2], [3, 4, 5], [6]]
    pixels = torch.cat([batch for batch, _ in found])
    assert pixels.dtype == torch.float32
    np.testing.assert_allclose(pixels[:, 0, 1, 2] * 255, [30 * index for index in range(7)], atol=1e-4)


def test_bytes_and_fractions_may_share_a_batch(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(
        "import torch\n"
        "def pictures():\n"
        "    return [torch.full((1, 2, 2), 51, dtype=torch.uint8), torch.full((1, 2, 2), 0.2)]\n"
    )
    images = open_images(DataSection(factory="data.py:pictures"), tmp_path)
    ((pixels, _),) = batches(images, range(2), section(1, 2, 2), 2)
    torch.testing.assert_close(pixels, torch.full((2, 1, 2, 2), 0.2))


def test_normalized_subtracts_and_divides_per_channel() -> None:
    pixels, mean, std = torch.rand(2, 2, 3, 3), torch.tensor([0.2, 0.4]), torch.tensor([0.5, 2.0])
    found = normalized(pixels, mean.view(2, 1, 1), std.view(2, 1, 1))
    for channel in range(2):
        torch.testing.assert_close(found[:, channel], (pixels[:, channel] - mean[channel]) / std[channel])


def test_any_number_of_channels_can_be_looked_at() -> None:
    pixels = np.linspace(-0.2, 1.2, 5 * 2 * 2).reshape(5, 2, 2)
    pixels[0, 0, 0] = np.nan
    for channels in (1, 2, 3, 5):
        shown = rgb(pixels[:channels])
        assert shown.shape == (2, 2, 3)
        for y, x, c in np.ndindex(shown.shape):
            value = pixels[0 if channels == 1 else c, y, x] if channels == 1 or c < channels else 0.0
            expected = 127.5 if np.isnan(value) else 255 * min(max(value, 0), 1)
            assert abs(int(shown[y, x, c]) - expected) <= 0.5


def test_signed_values_are_shown_around_gray() -> None:
    values = np.array([[[-2.0, 0.0, 1.0]]])
    np.testing.assert_allclose(centred(values), [[[0.0, 0.5, 0.75]]])
    np.testing.assert_array_equal(centred(np.zeros((1, 2, 2))), np.full((1, 2, 2), 0.5))
