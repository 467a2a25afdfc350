"""`nnlab menu activations --plot FILE`: f and f' of every activation, from their own formulas."""

from math import ceil
from pathlib import Path

from nnlab.config.described import MENUS
from nnlab.core import files
from nnlab.core.errors import ConfigError
from nnlab.core.kinds import kinds_of
from nnlab.core.lazy import np
from nnlab.display.pictures.drawing import new_figure, save_figure
from nnlab.parts.activations.family import ActivationConfig

_MENU = "activations"
REACH = 4.0
_COLUMNS = 5


def plot_activations(name: str | None, file: Path) -> Path:
    """Draws the activations, or the one of a name.

    Args:
        name: "activations" or such as "relu".
        file: a PNG.

    Raises:
        ConfigError: the name is none of these, or the file no PNG.
        ResourceError: the file cannot be written.
    """
    if file.suffix != ".png":
        raise ConfigError(f"--plot {file}: needs a name that ends in .png")
    kinds = kinds_of(MENUS[_MENU][0])
    chosen = list(kinds) if name == _MENU else [name] if name in kinds else []
    if not chosen:
        text = f"draws activations, not {name or 'all menus'}"
        raise ConfigError(f"--plot: {text} (nnlab menu activations --plot {file})")
    examples = {kind: kinds[kind].example() for kind in chosen}
    drawn = {
        kind: config
        for kind, config in examples.items()
        if isinstance(config, ActivationConfig) and elementwise(config)
    }
    if not drawn:
        raise ConfigError(f"--plot: {name} mixes its inputs, it is no curve (another activation)")
    files.write_file(file, _draw(drawn))
    return file


def elementwise(config: ActivationConfig) -> bool:
    """Whether each output depends on its own input alone: not so in a softmax."""
    z = np.array([[-1.0, 0.5, 2.0]])
    return bool(np.allclose(config.value(z), config.value(z.T).T))


def _draw(activations: "dict[str, ActivationConfig]") -> bytes:
    """A PNG with a panel for each."""
    columns = min(_COLUMNS, len(activations))
    rows = ceil(len(activations) / columns)
    figure = new_figure((2.4 * columns if columns > 1 else 4.2, 2.1 * rows + 0.5))
    z = np.linspace(-REACH, REACH, 801)
    for number, (name, config) in enumerate(activations.items()):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.axhline(0.0, color="#bbbbbb", lw=0.6)
        axes.axvline(0.0, color="#bbbbbb", lw=0.6)
        axes.plot(z, config.derivative(z), color="#ff7f0e", lw=1.2, label="f'")
        axes.plot(z, config.value(z), color="#1f77b4", lw=1.6, label="f")
        axes.set_title(name, fontsize=9)
        axes.set(xlim=(-REACH, REACH), ylim=(-2.2, 3.2))
        axes.tick_params(labelsize=7)
    figure.tight_layout(rect=(0.0, 0.0, 1.0, 1.0 - 0.25 / figure.get_figheight()))
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="upper right", ncols=2)
    return save_figure(figure)
