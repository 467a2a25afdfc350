"""What the last hidden layer makes of the examples, seen in two dimensions."""

from typing import TYPE_CHECKING, Any, ClassVar, final

from nnlab.core.lazy import Floats, Tensor, np, torch
from nnlab.display.pictures.drawing import axes_of, class_color
from nnlab.display.pictures.family import (
    Arrays,
    Picture,
    Scene,
    copy_to_host,
    text_array,
    thin_rows,
)

if TYPE_CHECKING:
    from nnlab.experiment.experiment import Experiment


_MOST = 128
"""So many examples of the probe set are shown."""


@final
class HiddenSpace(Picture):
    """Activations of the last hidden layer in two principal components."""

    title: ClassVar[str] = "last hidden layer"
    about: ClassVar[str] = (
        "The activations that the output layer sees, for the examples of the probe set, in the two "
        "directions in which they differ most; colour: the class. The output layer parts classes "
        "by straight cuts: apart here is learned. The axes are turned so that they fit the moment "
        "before."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._inputs: Tensor | None = None
        self._before: Floats | None = None
        self._rows = thin_rows(scene.probe, _MOST)
        targets = scene.examples.targets[self._rows.cpu().numpy()]
        self._still = {"labels": targets, "classes": text_array(scene.examples.shape.classes)}

    @classmethod
    def fits(cls, experiment: "Experiment") -> bool:
        found = last_layer(experiment)
        several = len({each.module for each in experiment.design.layers.weights}) >= 2
        return experiment.shape.task == "classes" and several and found is not None

    def still(self) -> Arrays:
        return self._still

    def collect(self, *, grid: int | None = None) -> Arrays:
        if self._inputs is None:
            self._inputs = self.scene.source.gather(self._rows).inputs
        activations = last_hidden(self.scene, self._inputs)
        places, explained = principal(copy_to_host(activations))
        if self._before is not None:
            places = places @ turn(places, self._before)
        self._before = places
        return {"places": places, "explained": explained}

    @staticmethod
    def draw(figure: Any, arrays: Arrays) -> None:
        axes = axes_of(figure, right=0.82)
        places, labels = arrays["places"], arrays["labels"]
        for number, name in enumerate(arrays["classes"].tolist()[:20]):
            chosen = places[labels == number]
            axes.scatter(
                *chosen.T, s=10, c=class_color(number), linewidths=0, alpha=0.8, label=name
            )
        axes.locator_params(nbins=6)
        share = 100.0 * arrays["explained"].sum()
        axes.set_xlabel(f"two components: {share:.0f} % of the variance", fontsize=8)
        figure.legend(fontsize=7, loc="center right", markerscale=1.3)


def last_layer(experiment: "Experiment") -> str | None:
    """The module that maps a row of two numbers or more to the outputs; None where none does."""
    design = experiment.design
    if not design.layers.weights:
        return None
    last, name = design.plans[-1], design.layers.weights[-1].module
    row = name == last.name and len(last.inputs) == len(last.output) == 1 and last.inputs[0] >= 2
    # What a network of ours ends in may be no layer of this form: a single unit, a point.
    return name if row and (design.module is not None or name == "output") else None


def last_hidden(scene: Scene, inputs: "Tensor") -> "Tensor":
    """(N, D): what comes into the output layer, in evaluation mode."""
    from nnlab.training.probes.sight import first_inputs

    name, kept = last_layer(scene.experiment), list["Tensor"]()
    assert name is not None
    with first_inputs(scene.network.get_submodule(name), kept):
        scene.outputs(inputs)
    return kept[0].flatten(1)


def principal(x: "Floats") -> "tuple[Floats, Floats]":
    """The first two principal components of (N, D), by the smaller of the two Gram matrices.

    Returns:
        (N, 2) centred coordinates, and (2,) the share of the variance along each.
    """
    centred = torch.from_numpy(np.nan_to_num(x - x.mean(axis=0)))
    # By torch, which computes on the run's own threads: those of NumPy's BLAS sleep between two
    # moments, and waking them costs ten times as much as the work itself.
    if x.shape[1] <= len(x):
        values, vectors = torch.linalg.eigh(centred.T @ centred)
        places = centred @ vectors[:, -2:].flip(1)
    else:
        values, vectors = torch.linalg.eigh(centred @ centred.T)
        places = vectors[:, -2:].flip(1) * values[-2:].flip(0).clamp(min=0.0).sqrt()
    total = values.sum().clamp(min=torch.finfo(torch.float64).tiny)
    return places.numpy(), (values[-2:].flip(0) / total).numpy()


def turn(places: "Floats", before: "Floats") -> "Floats":
    """The rotation or reflection (2, 2) that brings (N, 2) places nearest to earlier ones.

    Schönemann 1966, doi:10.1007/BF02289451: orthogonal Procrustes.
    """
    u, _, v = torch.linalg.svd(torch.from_numpy(places.T @ before))
    return (u @ v).numpy()
