"""Prior: an image as the code of a decoder that was trained to make natural images (Nguyen et al. 2016)."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional

from audit.ascent.parametrizations import Parametrization, Shape
from audit.errors import AuditError
from audit.model.factory import made
from audit.model.precision import precision


class Prior(Parametrization):
    """decoder(code), resized to the canvas; values beyond 0..1 are cut off."""

    parametrization: Literal["prior"] = "prior"
    decoder: str = Field(
        min_length=1,
        description="What returns a torch module codes [image, code] -> images of 0..1: package.module:function, or "
        "file.py:function relative to this file.",
    )
    codes: int = Field(gt=0, description="Numbers in a code.")
    within: float | None = Field(None, gt=0, description="Numbers of a code are kept within plus and minus this.")

    @field_validator("decoder")
    @classmethod
    def _is_there(cls, decoder: str, info: Any) -> str:
        where, _, name = decoder.rpartition(":")
        if not where or not name:
            raise ValueError(f'"{decoder}" names no function; write package.module:function or file.py:function')
        if where.endswith(".py") and not ((info.context or {}).get("folder", Path()) / where).is_file():
            raise ValueError(f'there is no file "{where}"')
        return decoder

    def start(self, seed: int, shape: Shape) -> Float[np.ndarray, " code"]:
        """Independent numbers of mean 0 and variance 1, kept within the limit."""
        code = np.random.default_rng(seed).normal(0, 1, self.codes)
        return code if self.within is None else np.clip(code, -self.within, self.within)

    def pixels(self, coordinates: Float[Tensor, "image code"], shape: Shape) -> Float[Tensor, "image channel y x"]:
        """The images of 0..1; AuditError where the decoder makes none of the model's channels."""
        decoder = loaded(self.decoder, self._folder, coordinates.device)
        images = decoder(coordinates.to(precision(decoder)))
        if not isinstance(images, Tensor) or images.dim() != 4 or images.shape[1] != shape[0]:
            found = f"shape {tuple(images.shape)}" if isinstance(images, Tensor) else type(images).__name__
            raise AuditError(f'decoder "{self.decoder}" returns {found}; this model needs [image, {shape[0]}, y, x]')
        if images.shape[2:] != shape[1:]:
            images = functional.interpolate(images, shape[1:], mode="bilinear", align_corners=False, antialias=True)
        return images.clamp(0, 1).to(coordinates.dtype)

    def kept_within(self, coordinates: Float[Tensor, "image code"]) -> Float[Tensor, "image code"]:
        """Each number of the codes clamped to the limit (Nguyen et al. 2016, section 2)."""
        return coordinates if self.within is None else coordinates.clamp(-self.within, self.within)

    def contents(self) -> str:
        """The digest of the decoder's weights, and of its file if it is one."""
        digest = hashlib.sha256()
        where = self.decoder.rpartition(":")[0]
        if where.endswith(".py"):
            digest.update((self._folder / where).read_bytes())
        for name, value in loaded(self.decoder, self._folder, torch.device("cpu")).state_dict().items():
            digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
            digest.update(value.contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


@lru_cache(maxsize=4)
def loaded(decoder: str, folder: Path, device: torch.device) -> nn.Module:
    """The decoder on the device, made once, its weights fixed and in evaluation mode; AuditError if there is none."""
    try:
        module = made(decoder, {}, folder)
    except AuditError as error:
        raise AuditError(f"decoder of the parametrization: {error}") from error
    if not isinstance(module, nn.Module):
        raise AuditError(f'decoder "{decoder}" returned a {type(module).__name__}, not a torch module')
    return module.to(device).requires_grad_(False).eval()
