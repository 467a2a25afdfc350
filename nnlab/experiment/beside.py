"""What configs that are settled beside each other have in common, worked out once."""

from collections.abc import Iterable, Mapping

from nnlab.core.contracts import DataShape, flat_plans
from nnlab.core.errors import MistakeError
from nnlab.models.family import Design, ModelConfig, design_network
from nnlab.parts.datasets.family import DataConfig
from nnlab.parts.datasets.tables import Place, Tables
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.optimizers.naming import NameIndex


class Beside:
    """The data and networks of the variants of a comparison, which mostly have the same.

    Sections are told apart by identity: variants that do not change one share it. Only neighbours
    are compared, as a look into each network of a thousand layers costs as much as planning it.
    """

    def __init__(self) -> None:
        self.tables: Tables = {}
        """What was read of files."""
        self.layers = 0
        """Of all different networks that were planned."""
        self._data: dict[tuple[int, Place], tuple[DataConfig, DataConfig, DataShape]] = {}
        self._designs: list[tuple[ModelConfig, DataShape, LossConfig, Design | MistakeError]] = []
        self._last: ModelConfig | None = None
        self._indices: dict[object, NameIndex] = {}
        self._resolved: dict[int, tuple[ModelConfig, ModelConfig]] = {}

    def opened(self, data: DataConfig, place: Place) -> tuple[DataConfig, DataShape]:
        """Data that were opened, and what they say of themselves.

        Raises:
            ConfigError: what is asked of them does not fit them.
            DataError: they are missing or damaged.
        """
        if (id(data), place) not in self._data:
            found = data.opened(place, self.tables)
            self._data[id(data), place] = data, found, found.describe(place)
        _, found, shape = self._data[id(data), place]
        return found, shape

    def design(self, model: ModelConfig, data: DataShape, loss: LossConfig) -> Design:
        """As `design_network`.

        Raises:
            MistakeError: if a layer does not fit behind the one before.
        """
        model = self._same(model)
        for known, its_data, its_loss, found in reversed(self._designs):
            if known is model and its_data == data and its_loss == loss:
                return _or_raised(found)
        try:
            found = design_network(model, data, loss)
            self.layers += len(flat_plans(found.plans))
        except MistakeError as error:
            found = error
        if isinstance(found, MistakeError) or found.module is None:
            self._designs.append((model, data, loss, found))
        return _or_raised(found)

    def resolved(self, model: ModelConfig) -> ModelConfig:
        """A model with every `auto` of its hidden layers spelled out."""
        model = self._same(model)
        if id(model) not in self._resolved:
            self._resolved[id(model)] = model, model.resolved()
        return self._resolved[id(model)][1]

    def index_of(self, names: Iterable[str], layers: Mapping[str, str] | None = None) -> NameIndex:
        """What looks these names up, with all patterns that were looked up among the same."""
        names = tuple(names)
        key = names, None if layers is None else tuple(layers[name] for name in names)
        if key not in self._indices:
            self._indices[key] = NameIndex(names, layers)
        return self._indices[key]

    def _same(self, model: ModelConfig) -> ModelConfig:
        """The model that was looked at before, if this one says the same in other words."""
        if self._last is None or (model is not self._last and model != self._last):
            self._last = model
        return self._last


def _or_raised(found: Design | MistakeError) -> Design:
    if isinstance(found, MistakeError):
        raise found
    return found
