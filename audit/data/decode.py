"""The contents of a picture file -> its first frame, upright; what is damaged or too large is refused."""

from io import BytesIO
from pathlib import Path

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")  # others, such as EPS, would start other programs
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF 2.3, tag 274: what turns a picture stored in that orientation upright."""


def decoded(file: Path | bytes) -> Image.Image:
    """The picture in a file, or in its contents, upright; ValueError with the reason where it is damaged.

    Nothing is guessed: a file that ends too early is damaged, however much of it could be shown. A picture of more
    pixels than Pillow's `Image.MAX_IMAGE_PIXELS` is too: a file of a few bytes may ask for any amount of memory.
    """
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # some packages switch it on for the whole process
    try:
        with Image.open(BytesIO(file) if isinstance(file, bytes) else file, formats=FORMATS) as picture:
            if _pixels(picture.size) > largest():
                raise Image.DecompressionBombError
            picture.load()
            return _upright(picture)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"it has more than the {largest():,.0f} pixels that are opened; make it smaller") from error
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
        raise ValueError(_reason(error)) from error


def largest() -> int | float:
    """The most pixels that a picture may have: Pillow's own limit."""
    return float("inf") if Image.MAX_IMAGE_PIXELS is None else Image.MAX_IMAGE_PIXELS


def _pixels(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _upright(picture: Image.Image) -> Image.Image:
    try:
        turn = UPRIGHT.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a broken EXIF block says nothing about the pixels
        turn = None
    return picture if turn is None else picture.transpose(turn)


def _reason(error: Exception) -> str:
    """The words of an error, without addresses in memory."""
    if isinstance(error, UnidentifiedImageError):
        return f"its contents are no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} picture"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    text = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())[:300]
    return text if isinstance(error, OSError) and text else f"{type(error).__name__}: {text or 'no message'}"
