"""Pictures and the class that the model sees in them -> how much gradient arrives at each unit of a layer."""

import torch
from jaxtyping import Float
from torch import Tensor

from audit import events
from audit.ascent.objective import frozen
from audit.data.damage import Damages
from audit.data.images import Images
from audit.data.preprocess import batches, normalized
from audit.errors import Unavailable
from audit.model.hooks import Observer
from audit.model.load import Model
from audit.model.outline import maps
from audit.model.precision import exact_arithmetic, precision
from audit.records import Layer, Scalars
from audit.trials.outputs import spread
from audit.words import plural

PICTURES = 100


def gradient_energy(model: Model, layer: Layer, images: Images, listener: events.Listener, batch: int) -> Scalars:
    """Column "gradient_energy": mean over pictures of the squared gradient that arrives at a unit, over all positions.

    It is the gradient of the strongest output, as the network gives it, with respect to the layer's map after its
    rectifier, if it has one (Yosinski et al. 2015, supplement). At most 100 evenly spread pictures. Unavailable where
    no gradient gets to the layer.
    """
    at = layer.activation or layer.name
    output = model.outline.layers[-1].name
    chosen = spread(range(len(images)), PICTURES)
    own = precision(model.network)
    seen: dict[str, Tensor] = {}
    energy = torch.zeros(layer.units, dtype=torch.float64, device=model.device)
    shown = 0
    title = f"{model.section.name}: gradients of {plural(len(chosen), 'picture')}"
    with (
        frozen(model.network),
        exact_arithmetic(),
        Observer(model.network, [at, output], seen.__setitem__) as observer,
        events.work(listener, title, len(chosen)) as advance,
    ):
        for pixels, part in batches(images, chosen, model.section, batch, damages=Damages(len(chosen), 100)):
            with torch.enable_grad():
                observer.run(normalized(pixels, model.mean, model.std).to(own).requires_grad_())
                gradient = _gradient(seen[output], seen[at], at)
            energy += maps(gradient, model.outline.layer(at).layout).double().square().sum(dim=(0, 2, 3))
            shown += len(part)
            advance(len(part))
    if shown == 0:
        raise Unavailable("no picture could be read")
    return Scalars(layer.name, {"gradient_energy": (energy / shown).cpu().numpy()})


def _gradient(outputs: Tensor, activations: Tensor, name: str) -> Float[Tensor, "image ..."]:
    if not outputs.requires_grad:
        raise Unavailable("the outputs have no gradient")
    score = outputs.flatten(1).amax(dim=1).sum()
    (gradient,) = torch.autograd.grad(score, activations, allow_unused=True)
    if gradient is None:
        raise Unavailable(f"no gradient of the outputs arrives at {name}")
    return gradient
