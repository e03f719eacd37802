"""A prior's image is what the decoder makes of the code, on the canvas."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from audit.ascent.canvas import canvas_of
from audit.ascent.loop import ascend
from audit.ascent.parametrizations.prior import Prior, loaded
from audit.ascent.presets import build
from audit.ascent.rows import Job
from audit.errors import AuditError
from audit.model.outline import outline

DECODERS = """
import torch
from torch import nn

class Planted(nn.Module):
    def __init__(self, channels=3, size=6, scale=1.0):
        super().__init__()
        self.weights = nn.Linear(4, channels * size * size)
        self.noise = nn.Dropout(0.5)
        self.shape, self.scale = (channels, size, size), scale

    def forward(self, codes):
        return self.scale * torch.sigmoid(self.noise(self.weights(codes))).view(-1, *self.shape)

def planted():
    torch.manual_seed(0)
    return Planted()

def bright():
    torch.manual_seed(0)
    return Planted(scale=2.0)

def small():
    torch.manual_seed(0)
    return Planted(size=3)

def large():
    torch.manual_seed(0)
    return Planted(size=24)

def gray():
    return Planted(channels=1)

def precise():
    return planted().double()

class Vectors(nn.Module):
    def forward(self, codes):
        return codes

def vectors():
    return Vectors()

def number():
    return 3

def failing():
    raise RuntimeError("no weights today")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "decoders.py").write_text(DECODERS, encoding="utf-8")
    return tmp_path


def preset(folder: Path, name: str = "planted", steps: int = 1, **options):
    table = {"parametrization": "prior", "decoder": f"decoders.py:{name}", "codes": 4, **options}
    return build("mine", {"steps": steps, "learning_rate": {"adam": 0.3}, "parametrization": table}, folder)


def codes(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(1))


def plainly(folder: Path) -> np.ndarray:
    layer = loaded("decoders.py:planted", folder, torch.device("cpu")).weights
    values = codes().numpy() @ layer.weight.numpy().T + layer.bias.numpy()
    return (1 / (1 + np.exp(-values))).reshape(2, 3, 6, 6)


def test_the_image_is_what_the_decoder_makes_in_evaluation_mode(folder):
    found = preset(folder).parametrization.pixels(codes(), (3, 6, 6))
    np.testing.assert_allclose(found, plainly(folder), atol=1e-6)


def test_values_beyond_1_are_cut_off(folder):
    found = preset(folder, "bright").parametrization.pixels(codes(), (3, 6, 6))
    np.testing.assert_allclose(found, np.minimum(2 * plainly(folder), 1), atol=1e-6)


@pytest.mark.parametrize("name", ["small", "large"])
def test_an_image_of_another_size_is_resized(folder, name):
    made = preset(folder, name).parametrization
    (own,) = made.pixels(codes(1), (3, 3, 3) if name == "small" else (3, 24, 24))
    (found,) = made.pixels(codes(1), (3, 9, 6))
    assert found.shape == (3, 9, 6)
    assert found.mean().item() == pytest.approx(own.mean().item(), abs=0.02)
    assert own.min() <= found.min() < found.max() <= own.max()


def test_a_decoder_computes_in_its_own_precision(folder):
    found = preset(folder, "precise").parametrization.pixels(codes(), (3, 6, 6))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, plainly(folder), atol=1e-6)


def test_the_decoder_is_made_once_and_its_weights_stay_as_they_are(folder):
    first, again = (loaded("decoders.py:planted", folder, torch.device("cpu")) for _ in range(2))
    assert first is again
    assert not first.training
    assert not any(weight.requires_grad for weight in first.parameters())


def test_codes_stay_within_the_limit_while_the_unit_is_climbed(folder):
    torch.manual_seed(3)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 6))
    layer = outline(network, (3, 6, 6)).layer("0")
    mean = torch.full((3, 1, 1), 0.5)

    def best(**options) -> float:
        jobs = [Job(1, preset(folder, steps=60, **options))]
        (found,) = ascend(network, layer, jobs, canvas_of(layer, (3, 6, 6)), mean=mean, std=mean)
        return found.best

    decoder = loaded("decoders.py:planted", folder, torch.device("cpu"))
    corners = torch.cartesian_prod(*[torch.tensor([-0.5, 0.0, 0.5])] * 4)
    highest = network((decoder(corners) - 0.5) / 0.5)[:, 1].max().item()
    assert best(within=0.5) <= highest + 0.05
    assert best(within=0.5) > highest - 0.3
    assert best() > highest + 0.5


def test_the_limit_holds_for_the_start_and_after_every_step(folder):
    made = preset(folder, within=0.25).parametrization
    assert np.abs(made.start(0, (3, 6, 6))).max() <= 0.25
    assert made.kept_within(codes()).abs().max().item() == 0.25
    free = preset(folder).parametrization
    assert torch.equal(free.kept_within(codes()), codes())


def test_the_start_is_normal(folder):
    starts = np.stack([preset(folder).parametrization.start(seed, (3, 6, 6)) for seed in range(2000)])
    assert starts.mean() == pytest.approx(0, abs=0.05)
    assert starts.std() == pytest.approx(1, abs=0.05)


def test_a_change_of_the_weights_or_the_file_changes_what_kept_work_is_known_by(folder):
    before = preset(folder).contents()
    assert before == preset(folder).contents()
    assert before != preset(folder, "large").contents()
    (folder / "decoders.py").write_text(DECODERS + "\n# changed\n", encoding="utf-8")
    assert before != preset(folder).contents()


MISTAKES = [
    ("elsewhere.py:planted", 'no file "elsewhere.py"'),
    ("planted", '"planted" names no function; write package.module:function or file.py:function'),
]


@pytest.mark.parametrize(("decoder", "words"), MISTAKES)
def test_a_decoder_that_cannot_be_is_a_mistake_at_its_key(folder, decoder, words):
    with pytest.raises(ValidationError, match=words) as caught:
        preset(folder, decoder=decoder)
    assert caught.value.errors()[0]["loc"] == ("parametrization", "decoder")


WRONG = [
    ("gray", 'decoder "decoders.py:gray" returns shape (1, 1, 6, 6); this model needs [image, 3, y, x]'),
    ("vectors", 'decoder "decoders.py:vectors" returns shape (1, 4); this model needs [image, 3, y, x]'),
    ("number", 'decoder "decoders.py:number" returned a int, not a torch module'),
    ("failing", "RuntimeError: no weights today"),
    ("plantd", 'did you mean "planted"?'),
]


@pytest.mark.parametrize(("name", "words"), WRONG)
def test_a_decoder_of_something_else_says_what_it_makes(folder, name, words):
    made = preset(folder, name).parametrization
    with pytest.raises(AuditError) as caught:
        made.pixels(codes(1), (3, 6, 6))
    assert words in str(caught.value)


def test_without_a_file_names_are_relative_to_the_working_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    made = Prior(decoder="decoders.py:planted", codes=4)
    np.testing.assert_allclose(made.pixels(codes(), (3, 6, 6)), plainly(folder), atol=1e-6)
