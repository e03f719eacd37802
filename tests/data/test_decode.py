"""Odd and damaged picture files, each made for real: shown right, or refused with the reason."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile

from audit.config import DataSection, ModelSection
from audit.data.damage import PictureError
from audit.data.decode import decoded, largest
from audit.data.images import open_images
from audit.data.preprocess import fit, load


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


def shown(file: Path, channels: int = 3, size: tuple[int, int] = (4, 6)) -> np.ndarray:
    """The file's picture as a model of that input sees it: (y, x, channel)."""
    section = ModelSection(name="m", factory="m.py:m", input=(channels, *size))
    return fit(decoded(file), section).numpy().transpose(1, 2, 0)


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """EXIF's own words (tag 274): on which side of the upright picture the stored row 0 and column 0 are."""
    row, column = {
        1: ("top", "left"),
        2: ("top", "right"),
        3: ("bottom", "right"),
        4: ("bottom", "left"),
        5: ("left", "top"),
        6: ("right", "top"),
        7: ("right", "bottom"),
        8: ("left", "bottom"),
    }[orientation]
    tall, wide = stored.shape[:2]
    result = np.zeros_like(stored if row in ("top", "bottom") else stored.transpose(1, 0, 2))
    for r, c in np.ndindex(tall, wide):
        place = {
            "top": (r, None),
            "bottom": (tall - 1 - r, None),
            "left": (None, r),
            "right": (None, tall - 1 - r),
        }[row]
        other = {"left": c, "right": wide - 1 - c, "top": c, "bottom": wide - 1 - c}[column]
        y, x = (other if one is None else one for one in place)
        result[y, x] = stored[r, c]
    return result


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_a_picture_is_shown_as_its_camera_was_held(tmp_path: Path, orientation: int, ending: str) -> None:
    stored = noise(4, 6)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(stored).save(tmp_path / f"a.{ending}", exif=exif, **options)
    expected = upright(stored, orientation)
    np.testing.assert_array_equal(shown(tmp_path / f"a.{ending}", size=expected.shape[:2]), expected)


def test_a_broken_exif_block_leaves_the_picture_as_it_is(tmp_path: Path) -> None:
    stored = noise(4, 6)
    Image.fromarray(stored).save(tmp_path / "a.png", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    np.testing.assert_array_equal(shown(tmp_path / "a.png"), stored)


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_sixteen_bits_are_rounded_to_eight(tmp_path: Path, ending: str) -> None:
    deep = np.random.default_rng(1).integers(0, 65536, (4, 6), dtype=np.uint16)
    deep[0, :4] = 0, 65535, 128, 129
    if ending == "pgm":
        (tmp_path / "a.pgm").write_bytes(b"P5 6 4 65535\n" + deep.astype(">u2").tobytes())
    else:
        Image.fromarray(deep).save(tmp_path / f"a.{ending}")
    expected = np.array([[round(int(value) / 257) for value in row] for row in deep])
    assert expected[0, :4].tolist() == [0, 255, 0, 1]
    for channels in (1, 3):
        for plane in shown(tmp_path / f"a.{ending}", channels).transpose(2, 0, 1):
            np.testing.assert_array_equal(plane, expected)


def test_fractions_are_scaled_and_other_floats_have_no_known_range(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6)
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert np.abs(shown(tmp_path / "a.tif", 1)[:, :, 0] - 255 * values).max() <= 0.5
    for wrong in (1.5, -0.5, np.nan):
        values[2, 2] = wrong
        Image.fromarray(values).save(tmp_path / "a.tif")
        with pytest.raises(ValueError, match=r'mode "F" with values from .* has no known range'):
            shown(tmp_path / "a.tif", 1)


def test_integers_beyond_sixteen_bits_have_no_known_range(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 6), 70000, np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match='mode "I" with values from 70000 to 70000 has no known range'):
        shown(tmp_path / "a.tif", 1)


def test_cmyk_is_converted_for_three_channels_and_kept_for_four(tmp_path: Path) -> None:
    ink = noise(4, 6, 4)
    Image.fromarray(ink, "CMYK").save(tmp_path / "a.tif")
    np.testing.assert_array_equal(shown(tmp_path / "a.tif", 4), ink)
    paper = 255 - ink.astype(float)
    expected = paper[:, :, :3] * paper[:, :, 3:] / 255
    assert np.abs(shown(tmp_path / "a.tif") - expected).max() <= 1


@pytest.mark.parametrize("transform", [0, 2])
def test_inverted_inks_of_adobes_jpegs_are_turned_around(tmp_path: Path, transform: int) -> None:
    """CMYK (0) and YCCK (2): gray YCC is the same number as gray CMY, so the two agree where the three are equal."""
    inks = np.empty((16, 16, 4), np.uint8)
    inks[...] = (127, 127, 127, 40)
    contents = io.BytesIO()
    Image.fromarray(inks, "CMYK").save(contents, "JPEG", quality=100, subsampling=0)
    before, adobe, after = contents.getvalue().partition(b"Adobe\0d\0\0\0\0")
    assert adobe
    (tmp_path / "a.jpg").write_bytes(before + adobe + bytes([transform]) + after[1:])
    expected = 128 * 215 / 255
    assert np.abs(shown(tmp_path / "a.jpg", size=(16, 16)).astype(float) - expected).max() <= 2


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_is_shown_in_every_number_of_channels(tmp_path: Path, mode: str, channels: int) -> None:
    Image.fromarray(noise(4, 6)).convert(mode).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as stored:
        colour = np.asarray(stored.convert("RGBA"))
    found = shown(tmp_path / "a.png", channels)
    if channels == 1:
        assert np.abs(found[:, :, 0] - colour[:, :, :3] @ np.array([0.299, 0.587, 0.114])).max() <= 1
    else:
        np.testing.assert_array_equal(found, colour[:, :, :channels])


def test_alpha_is_dropped_also_where_it_is_part_of_a_palette(tmp_path: Path) -> None:
    pixels = noise(4, 6, 4)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(shown(tmp_path / "a.png"), pixels[:, :, :3])
    clear = Image.new("P", (6, 4), 1)
    clear.putpalette([9, 9, 9, 200, 100, 50])
    clear.save(tmp_path / "b.png", transparency=bytes([255, 0]))
    assert (shown(tmp_path / "b.png") == (200, 100, 50)).all()
    assert (shown(tmp_path / "b.png", 4) == (200, 100, 50, 0)).all()


def test_one_pixel_and_very_long_pictures_are_shown(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (7, 8, 9)).save(tmp_path / "a.png")
    assert (shown(tmp_path / "a.png", size=(4, 6)) == (7, 8, 9)).all()
    section = ModelSection(name="m", factory="m.py:m", input=(3, 224, 224), resize=256)
    stripes = np.zeros((1, 60_000, 3), np.uint8)
    stripes[:, 30_000:] = 200  # resized as a whole it would have 4 billion pixels
    found = fit(Image.fromarray(stripes), section).numpy()
    assert found.shape == (3, 224, 224)
    ramp = 200 * (0.5 + (np.arange(224) + 0.5 - 112) / 256)  # between the centres of the two pixels in the middle
    assert np.abs(found - ramp).max() <= 1


def test_a_cropped_resize_is_the_crop_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    section = ModelSection(name="m", factory="m.py:m", input=(3, 20, 16), resize=24)
    picture = Image.fromarray(noise(37, 90))
    whole = fit(picture, section).numpy().astype(int)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 24 * 30)
    assert np.abs(fit(picture, section).numpy() - whole).max() <= 1


def chunk(kind: bytes, contents: bytes) -> bytes:
    return struct.pack(">I", len(contents)) + kind + contents + struct.pack(">I", zlib.crc32(kind + contents))


def bomb(pixels: int) -> bytes:
    """A PNG of a few bytes that claims that many pixels."""
    header = struct.pack(">IIBBBBB", pixels // 1000, 1000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def half(contents: bytes) -> bytes:
    return contents[: len(contents) // 2]


def encoded(format: str) -> bytes:
    contents = io.BytesIO()
    Image.fromarray(noise(90, 80)).save(contents, format)
    return contents.getvalue()


LIMIT = int(largest())
DAMAGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty.jpg": (lambda: b"", "its contents are no JPEG, .* picture"),
    "text.jpg": (lambda: b"a letter to a friend", "its contents are no JPEG, .* picture"),
    "postscript.jpg": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "its contents are no JPEG"),
    "half.jpg": (lambda: half(encoded("JPEG")), "truncated"),
    "half.png": (lambda: half(encoded("PNG")), "truncated"),
    "half.webp": (lambda: half(encoded("WEBP")), "."),
    "half.tif": (lambda: half(encoded("TIFF")), "."),
    "half.bmp": (lambda: half(encoded("BMP")), "truncated"),
    "half.gif": (lambda: half(encoded("GIF")), "truncated"),
    "header.jpg": (lambda: encoded("JPEG")[:30], "."),
    "large.png": (lambda: bomb(LIMIT + 1000), "more than the [0-9,]+ pixels that are opened"),
    "huge.png": (lambda: bomb(3 * LIMIT), "more than the [0-9,]+ pixels that are opened"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    contents, reason = DAMAGED[name]
    (tmp_path / name).write_bytes(contents())
    images = open_images(DataSection(folder="."), tmp_path)
    with pytest.raises(PictureError, match=reason) as raised:
        load(images, 0, ModelSection(name="m", factory="m.py:m", input=(3, 8, 8)))
    assert raised.value.name == name
    assert "0x" not in raised.value.reason


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_large_picture_is_refused_where_warnings_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(bomb(LIMIT + 1000))
    with pytest.raises(ValueError, match="pixels that are opened"):
        decoded(tmp_path / "a.png")


def test_a_package_that_lets_truncated_files_pass_is_overruled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    (tmp_path / "a.jpg").write_bytes(half(encoded("JPEG")))
    with pytest.raises(ValueError, match="truncated"):
        decoded(tmp_path / "a.jpg")
