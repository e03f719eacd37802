"""Name -> component: an explicit list per kind; components are loaded when they are used."""

from importlib import import_module
from typing import Any

from audit.errors import nearest

COMPONENTS: dict[str, dict[str, str]] = {
    "check": {
        "accuracy": "audit.checks.accuracy:Accuracy",
        "adversarial-accuracy": "audit.checks.adversarial_accuracy:AdversarialAccuracy",
        "always-on": "audit.checks.always_on:AlwaysOn",
        "attributes": "audit.checks.attributes:Attributes",
        "calibration": "audit.checks.calibration:Calibration",
        "constant-units": "audit.checks.constant_units:ConstantUnits",
        "dead-units": "audit.checks.dead_units:DeadUnits",
        "degenerate-weights": "audit.checks.degenerate_weights:DegenerateWeights",
        "dominated-layer": "audit.checks.dominated_layer:DominatedLayer",
        "duplicate-units": "audit.checks.duplicate_units:DuplicateUnits",
        "flicker": "audit.checks.flicker:Flicker",
        "frequency-bias": "audit.checks.frequency_bias:FrequencyBias",
        "half-precision": "audit.checks.half_precision:HalfPrecision",
        "human-agreement": "audit.checks.human_agreement:HumanAgreement",
        "label-permutation": "audit.checks.label_permutation:LabelPermutation",
        "noise-sensitivity": "audit.checks.noise_sensitivity:NoiseSensitivity",
        "noisy-filters": "audit.checks.noisy_filters:NoisyFilters",
        "non-finite": "audit.checks.non_finite:NonFinite",
        "normalisation-drift": "audit.checks.normalisation_drift:NormalisationDrift",
        "preprocessing": "audit.checks.preprocessing:Preprocessing",
        "rare-units": "audit.checks.rare_units:RareUnits",
        "reinitialised-layers": "audit.checks.reinitialised_layers:ReinitialisedLayers",
        "saturated-units": "audit.checks.saturated_units:SaturatedUnits",
    },
    "statistic": {
        "activations": "audit.stream.statistics:activations",
        "distributions": "audit.stream.statistics:distributions",
        "correlations": "audit.stream.statistics:correlations",
        "selectivity": "audit.stream.statistics:selectivity",
        "detectors": "audit.stream.statistics:detectors",
        "rotation": "audit.stream.statistics:rotation",
        "maps": "audit.stream.statistics:maps",
        "codes": "audit.stream.statistics:codes",
    },
    "study": {
        "supplement": "audit.claims.supplement:of_model",
    },
    "analysis": {
        "optimized": "audit.analyses.optimized:Optimized",
        "directions": "audit.analyses.directions:Directions",
        "max-patches": "audit.analyses.max_patches:MaxPatches",
        "max-images": "audit.analyses.max_images:MaxImages",
        "deconv": "audit.analyses.deconv:Deconv",
        "guided": "audit.analyses.guided:Guided",
        "gradient": "audit.analyses.gradient:Gradient",
        "occlusion": "audit.analyses.occlusion:Occlusion",
        "inversion": "audit.analyses.inversion:Inversion",
        "filters": "audit.analyses.filters:Filters",
        "correspondence": "audit.analyses.correspondence:Correspondence",
        "invariance": "audit.analyses.invariance:Invariance",
        "adversarial": "audit.analyses.adversarial:Adversarial",
    },
    "overview": {
        "tsne": "audit.analyses.tsne:Tsne",
    },
    "regularizer": {
        "decay": "audit.ascent.regularizers.decay:Decay",
        "blur": "audit.ascent.regularizers.blur:Blur",
        "clip-value": "audit.ascent.regularizers.clip_value:ClipValue",
        "clip-norm": "audit.ascent.regularizers.clip_norm:ClipNorm",
        "clip-benefit": "audit.ascent.regularizers.clip_benefit:ClipBenefit",
        "clip-contribution": "audit.ascent.regularizers.clip_contribution:ClipContribution",
        "total-variation": "audit.ascent.regularizers.total_variation:TotalVariation",
        "alpha-norm": "audit.ascent.regularizers.alpha_norm:AlphaNorm",
    },
    "transform": {
        "jitter": "audit.ascent.transforms.jitter:Jitter",
        "scale": "audit.ascent.transforms.scale:Scale",
        "rotate": "audit.ascent.transforms.rotate:Rotate",
    },
    "parametrization": {
        "fourier": "audit.ascent.parametrizations.fourier:Fourier",
        "phase": "audit.ascent.parametrizations.phase:Phase",
        "prior": "audit.ascent.parametrizations.prior:Prior",
    },
}


def names(kind: str) -> list[str]:
    """Every component name of that kind ("check", "analysis", "regularizer", ...)."""
    return list(COMPONENTS[kind])


def load(kind: str, name: str) -> Any:
    """The component class; LookupError, naming the nearest, if there is none of that name."""
    if name not in COMPONENTS[kind]:
        raise LookupError(f'no {kind} "{name}"{nearest(name, names(kind))}')
    module, attribute = COMPONENTS[kind][name].split(":")
    return getattr(import_module(module), attribute)
