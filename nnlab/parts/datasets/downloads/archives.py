"""CIFAR and SVHN: small color images, read by torchvision once and then kept as plain arrays."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, final

from nnlab.core.contracts import Shape
from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.downloads.cache import Cached, read_cache, write_cache
from nnlab.parts.datasets.downloads.named import NamedConfig, download_failures, in_a_line
from nnlab.parts.datasets.family import Place, Table

_CIFAR100 = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
    butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch
    crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo
    keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain
    mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain
    plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
    skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone
    television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""


class _Part(NamedTuple):
    """One of the two splits: (N, 3, 32, 32) uint8 and (N,) labels."""

    images: "NDArray[Any]"
    labels: "NDArray[Any]"


class _ArchiveConfig(NamedConfig, frozen=True):
    """Images in a form of its own, which torchvision checks and reads."""

    image: ClassVar[Shape] = (3, 32, 32)

    @abstractmethod
    def unpack(self, folder: Path, *, train: bool) -> _Part:
        """One of the two splits, by torchvision; raises what that raises (`download_failures`)."""

    def available(self, place: Place) -> bool:
        return (self._kept(place) / "manifest.json").is_file() or super().available(place)

    def read(self, place: Place) -> Table:
        kept = read_cache(self._kept(place)) or self._unpacked(place)
        train, test = self.examples
        return Table(
            self.source(place),
            kept.inputs,
            kept.targets,
            given={"test": np.arange(train, train + test)},
            digest=kept.digest,
        )

    def _kept(self, place: Place) -> Path:
        return place.cache / "arrays" / self.kind

    def _unpacked(self, place: Place) -> Cached:
        root = self.found(place) or self.download(place)
        try:
            train, test = (self.unpack(root, train=part) for part in (True, False))
        except download_failures() as error:
            raise DataError(
                f"data: {self.kind} in {root} is damaged: {in_a_line(error)} "
                "(delete its files and it is downloaded again)"
            ) from error
        found = (len(train.images), len(test.images))
        if found != self.examples:
            raise DataError(f"data: {self.kind} in {root} has {found} images, not {self.examples}")
        inputs = np.concatenate([train.images, test.images])
        targets = np.concatenate([train.labels, test.labels]).astype(np.int64)
        return Cached(inputs, targets, write_cache(self._kept(place), inputs, targets))


class _CifarConfig(_ArchiveConfig, frozen=True):
    """Tiny images, collected by Krizhevsky, Nair and Hinton."""

    folder: ClassVar[str]
    """The name of the set in torchvision."""
    examples: ClassVar[tuple[int, int]] = (50_000, 10_000)

    def fetch(self, folder: Path) -> None:
        from torchvision import datasets

        getattr(datasets, self.folder)(str(folder), download=True)

    def unpack(self, folder: Path, *, train: bool) -> _Part:
        from torchvision import datasets

        found = getattr(datasets, self.folder)(str(folder), train=train)
        # torchvision turns the stored (N, 3, 32, 32) into (N, 32, 32, 3).
        return _Part(found.data.transpose(0, 3, 1, 2), np.array(found.targets))


@final
class Cifar10Config(_CifarConfig, frozen=True):
    """Animals and vehicles, 32x32 pixels in color: 50,000 images to train and 10,000 to test.

    Krizhevsky 2009, "Learning multiple layers of features from tiny images"; no licence is stated.
    """

    folder: ClassVar[str] = "CIFAR10"
    archive: ClassVar[str] = "cifar-10-python.tar.gz"
    parts: ClassVar[tuple[str, ...]] = (
        *(f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6)),
        "cifar-10-batches-py/test_batch",
        "cifar-10-batches-py/batches.meta",
    )
    url: ClassVar[str] = "https://www.cs.toronto.edu/~kriz/"
    classes: ClassVar[tuple[str, ...]] = (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    )
    kind: Literal["cifar10"] = "cifar10"


@final
class Cifar100Config(_CifarConfig, frozen=True):
    """A hundred kinds of things, 32x32 pixels in color: 50,000 images to train and 10,000 to test.

    Krizhevsky 2009, "Learning multiple layers of features from tiny images"; no licence is stated.
    """

    folder: ClassVar[str] = "CIFAR100"
    archive: ClassVar[str] = "cifar-100-python.tar.gz"
    parts: ClassVar[tuple[str, ...]] = tuple(
        f"cifar-100-python/{name}" for name in ("train", "test", "meta")
    )
    url: ClassVar[str] = "https://www.cs.toronto.edu/~kriz/"
    classes: ClassVar[tuple[str, ...]] = tuple(_CIFAR100.split())
    kind: Literal["cifar100"] = "cifar100"


@final
class SvhnConfig(_ArchiveConfig, frozen=True):
    """House numbers from the street, 32x32 pixels in color: 73,257 to train and 26,032 to test.

    Netzer et al. 2011, "Reading digits in natural images with unsupervised feature learning"; for
    non-commercial use.
    """

    parts: ClassVar[tuple[str, ...]] = ("train_32x32.mat", "test_32x32.mat")
    url: ClassVar[str] = "http://ufldl.stanford.edu/housenumbers/"
    classes: ClassVar[tuple[str, ...]] = tuple("0123456789")
    examples: ClassVar[tuple[int, int]] = (73_257, 26_032)
    kind: Literal["svhn"] = "svhn"

    def fetch(self, folder: Path) -> None:
        from torchvision import datasets

        for split in ("train", "test"):
            datasets.SVHN(str(folder), split=split, download=True)

    def unpack(self, folder: Path, *, train: bool) -> _Part:
        from torchvision import datasets

        found = datasets.SVHN(str(folder), split="train" if train else "test")
        return _Part(found.data, found.labels)


KINDS = (Cifar100Config, Cifar10Config, SvhnConfig)
