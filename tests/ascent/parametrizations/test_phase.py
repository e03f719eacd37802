"""Only phases move: the magnitudes of the waves stay those of photographs, or of the file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from audit.ascent.parametrizations.colours import MIX
from audit.ascent.parametrizations.phase import Phase, resized, spectrum_of
from audit.ascent.presets import build
from audit.errors import AuditError

SHAPES = [(3, 5, 6), (3, 4, 7), (1, 6, 6), (2, 7, 7)]


def preset(folder: Path, **options):
    table = {"parametrization": "phase", **options}
    return build("mine", {"steps": 1, "learning_rate": 1.0, "parametrization": table}, folder)


def by_hand(phases: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    """The whole spectrum, wave after wave with its conjugate, and numpy's inverse transform of it."""
    channels, height, width = magnitude.shape
    spectrum = np.zeros(magnitude.shape, complex)
    for ky in range(height):
        for kx in range(width // 2 + 1):
            phase = phases[:, ky, kx]
            if kx == 0 or 2 * kx == width:
                phase = phase - phases[:, -ky % height, kx]
            spectrum[:, ky, kx] = magnitude[:, ky, kx] * np.exp(1j * phase)
            spectrum[:, -ky % height, -kx % width] = np.conj(spectrum[:, ky, kx])
    values = np.fft.ifft2(spectrum)
    assert np.abs(values.imag).max() < 1e-12
    values = values.real / np.sqrt((values.real**2).mean())
    return 1 / (1 + np.exp(-(np.einsum("dc,cyx->dyx", MIX, values) if channels == 3 else values)))


def natural(shape: tuple[int, int, int]) -> np.ndarray:
    frequency = np.hypot(np.fft.fftfreq(shape[1])[:, None], np.fft.fftfreq(shape[2])[None])
    frequency[0, 0] = np.inf
    return np.broadcast_to(1 / frequency, shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_image_is_the_inverse_transform_of_magnitudes_and_phases(shape):
    start = Phase().start(3, shape)
    found = Phase().pixels(torch.from_numpy(start)[None], shape)[0]
    np.testing.assert_allclose(found, by_hand(start, natural(shape)), atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_magnitudes_are_those_of_the_file(shape, tmp_path):
    magnitude = np.abs(np.fft.fft2(np.random.default_rng(0).normal(0, 1, shape)))
    magnitude[:, 0, 0] = 0
    np.save(tmp_path / "spectrum.npy", magnitude)
    made = preset(tmp_path, spectrum="spectrum.npy").parametrization
    start = made.start(3, shape)
    found = made.pixels(torch.from_numpy(start)[None], shape)[0]
    np.testing.assert_allclose(found, by_hand(start, magnitude), atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 6, 8), (2, 7, 7)])
def test_no_phase_changes_a_magnitude_or_the_contrast(shape):
    found = Phase().pixels(torch.randn(4, *shape[:2], shape[2] // 2 + 1, dtype=torch.float64) * 9, shape)
    spectra = np.abs(np.fft.fft2(torch.logit(found).numpy(), norm="ortho"))
    np.testing.assert_allclose(spectra, np.broadcast_to(spectra[:1, :1], spectra.shape), atol=1e-9)
    assert torch.logit(found).std(dim=(1, 2, 3), correction=0).numpy() == pytest.approx(np.ones(4))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_first_gradient_moves_the_image_as_much_as_any_later_one(shape):
    def size_of_gradient(phases: torch.Tensor) -> float:
        phases = phases.clone().requires_grad_()
        weights = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        (gradient,) = torch.autograd.grad((Phase().pixels(phases, shape) * weights).sum(), phases)
        return gradient.norm().item()

    start = torch.from_numpy(Phase().start(0, shape))[None]
    anywhere = [torch.rand(start.shape, dtype=torch.float64) * 6.3 for _ in range(20)]
    assert size_of_gradient(start) > 0.3 * np.mean([size_of_gradient(phases) for phases in anywhere])


def test_the_spectrum_of_pictures_is_the_mean_magnitude_of_their_waves():
    pictures = np.random.default_rng(0).random((4, 3, 5, 6))
    channels = np.linalg.solve(MIX, pictures.transpose(1, 0, 2, 3).reshape(3, -1)).reshape(3, 4, 5, 6)
    expected = np.zeros((3, 5, 6))
    for picture in range(4):
        for ky in range(5):
            for kx in range(6):
                wave = np.exp(-2j * np.pi * (ky * np.arange(5)[:, None] / 5 + kx * np.arange(6)[None] / 6))
                expected[:, ky, kx] += np.abs((channels[:, picture] * wave).sum((1, 2))) / np.sqrt(30) / 4
    expected[:, 0, 0] = 0
    np.testing.assert_allclose(spectrum_of(pictures), expected, atol=1e-12)


def test_a_spectrum_of_another_size_is_read_at_the_same_frequencies():
    for size in (16, 64):
        found, expected = resized(natural((1, size, size)), (1, 24, 24)), natural((1, 24, 24))
        shared = (expected > 0) & (expected < min(size, 24))  # lower waves than a picture has are taken as its lowest
        assert shared.sum() > 500
        np.testing.assert_allclose(found[shared], expected[shared], rtol=1e-9)


def test_a_spectrum_of_its_own_size_stays_as_it_is():
    spectrum = np.random.default_rng(0).random((2, 6, 7)) + 0.1
    found = resized(spectrum, (2, 6, 7))
    np.testing.assert_allclose(found.reshape(2, -1)[:, 1:], spectrum.reshape(2, -1)[:, 1:])


def test_a_change_of_the_file_changes_what_kept_work_is_known_by(tmp_path):
    np.save(tmp_path / "spectrum.npy", np.ones((1, 4, 4)))
    made = preset(tmp_path, spectrum="spectrum.npy")
    before = made.contents()
    assert before == preset(tmp_path, spectrum="spectrum.npy").contents()
    np.save(tmp_path / "spectrum.npy", np.full((1, 4, 4), 2.0))
    assert made.contents() != before
    assert preset(tmp_path).contents() == ""


def test_a_file_that_is_not_there_is_a_mistake_at_its_key(tmp_path):
    with pytest.raises(ValidationError, match=r'no file "spectrum\.npy"') as caught:
        preset(tmp_path, spectrum="spectrum.npy")
    assert caught.value.errors()[0]["loc"] == ("parametrization", "spectrum")


WRONG = [
    (np.ones((4, 4)), "has shape (4, 4); this model needs (3, y, x)"),
    (np.ones((1, 4, 4)), "has shape (1, 4, 4); this model needs (3, y, x)"),
    (np.full((3, 4, 4), np.nan), "no magnitudes"),
    (-np.ones((3, 4, 4)), "no magnitudes"),
    (np.zeros((3, 4, 4)), "no magnitudes"),
    (np.full((3, 4, 4), None), "cannot be read"),
]


@pytest.mark.parametrize(("spectrum", "words"), WRONG)
def test_a_file_of_something_else_says_what_it_has(spectrum, words, tmp_path):
    np.save(tmp_path / "spectrum.npy", spectrum)
    made = preset(tmp_path, spectrum="spectrum.npy").parametrization
    with pytest.raises(AuditError) as caught:
        made.pixels(torch.zeros(1, 3, 5, 4), (3, 5, 6))
    assert words in str(caught.value)


@pytest.mark.data
def test_photographs_have_nearly_the_spectrum_that_is_used_without_a_file(real: Path):
    files = sorted(real.glob("imagenet-sample/*/*.jpg"))[::20]
    opened = [np.asarray(Image.open(file).convert("RGB").crop((0, 0, 256, 256)), float) / 255 for file in files]
    spectrum = spectrum_of(np.stack(opened).transpose(0, 3, 1, 2))[0]
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
    middle = (frequency > 0.02) & (frequency < 0.4)
    slope = np.polyfit(np.log(frequency[middle]), np.log(spectrum[middle]), 1)[0]
    assert -1.5 < slope < -0.9
