"""MNIST and its relatives: images and labels in IDX files, read directly."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

from nnlab.core.contracts import Shape
from nnlab.core.errors import DataError
from nnlab.core.files import open_regular
from nnlab.core.lazy import NDArray, lazy, np
from nnlab.parts.datasets.downloads.named import NamedConfig, in_a_line
from nnlab.parts.datasets.family import Place, Table

if TYPE_CHECKING:
    import gzip
    import zlib
else:
    gzip = lazy("gzip")
    zlib = lazy("zlib")

_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def read_idx(path: Path, shape: tuple[int, ...]) -> "NDArray[np.uint8]":
    """An IDX file of bytes, or that with .gz added.

    Two zero bytes, 8 for unsigned bytes, the number of axes, their lengths (32 bits, big-endian),
    then the bytes.

    Args:
        path: the name without .gz.
        shape: what must be in it; nothing longer is unpacked.

    Raises:
        DataError: the file is not what it should be.
    """
    header = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    expected = len(header) + int(np.prod(shape))
    packed = path.with_name(path.name + ".gz")
    try:
        with open_regular(path if path.is_file() else packed, follow=True) as file:
            plain = file if path.is_file() else gzip.GzipFile(fileobj=file)
            content = plain.read(expected + 1)
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise DataError(f"data: cannot read {path}: {in_a_line(error)}") from error
    if content[: len(header)] != header[: len(content)]:
        raise DataError(f"data: {path} is not an IDX file of {shape} bytes (delete it)")
    if len(content) != expected:
        found = "more" if len(content) > expected else str(len(content))
        raise DataError(f"data: {path} should have {expected} bytes, has {found} (delete it)")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


class _IdxConfig(NamedConfig, frozen=True):
    """Four files under ROOT/<folder>/raw, as torchvision lays them out."""

    folder: ClassVar[str]
    """The name of the set in torchvision and on disk."""
    image: ClassVar[Shape] = (1, 28, 28)
    examples: ClassVar[tuple[int, int]] = (60_000, 10_000)

    def fetch(self, folder: Path) -> None:
        from torchvision import datasets

        getattr(datasets, self.folder)(str(folder), download=True)

    def has(self, path: Path) -> bool:
        return path.is_file() or path.with_name(path.name + ".gz").is_file()

    def read(self, place: Place) -> Table:
        root = self.found(place) or self.download(place)
        train, test = self.examples
        shapes = ((train, 28, 28), (train,), (test, 28, 28), (test,))
        found = [read_idx(root / f, s) for f, s in zip(self.parts, shapes, strict=True)]
        return Table(
            self.source(place),
            _joined(found[0], found[2])[:, None],
            _joined(found[1], found[3]).astype(np.int64),
            given={"test": np.arange(train, train + test)},
        )


def _joined(train: "NDArray[Any]", test: "NDArray[Any]") -> "NDArray[Any]":
    return np.concatenate([train, test])


@final
class MnistConfig(_IdxConfig, frozen=True):
    """Handwritten digits, 28x28 pixels: 60,000 images to train and 10,000 to test.

    LeCun et al. 1998, "Gradient-based learning applied to document recognition"; CC BY-SA 3.0.
    """

    folder: ClassVar[str] = "MNIST"
    parts: ClassVar[tuple[str, ...]] = tuple(f"MNIST/raw/{file}" for file in _FILES)
    url: ClassVar[str] = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    classes: ClassVar[tuple[str, ...]] = tuple("0123456789")
    kind: Literal["mnist"] = "mnist"


@final
class FashionMnistConfig(_IdxConfig, frozen=True):
    """Clothes in ten classes, in the form of MNIST and harder than it.

    Xiao et al. 2017, arXiv:1708.07747; MIT.
    """

    folder: ClassVar[str] = "FashionMNIST"
    parts: ClassVar[tuple[str, ...]] = tuple(f"FashionMNIST/raw/{file}" for file in _FILES)
    url: ClassVar[str] = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    classes: ClassVar[tuple[str, ...]] = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
    kind: Literal["fashion_mnist"] = "fashion_mnist"


@final
class KmnistConfig(_IdxConfig, frozen=True):
    """Ten old Japanese characters by many hands, in the form of MNIST.

    Clanuwat et al. 2018, arXiv:1812.01718; CC BY-SA 4.0.
    """

    folder: ClassVar[str] = "KMNIST"
    parts: ClassVar[tuple[str, ...]] = tuple(f"KMNIST/raw/{file}" for file in _FILES)
    url: ClassVar[str] = "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"
    classes: ClassVar[tuple[str, ...]] = (
        "o",
        "ki",
        "su",
        "tsu",
        "na",
        "ha",
        "ma",
        "ya",
        "re",
        "wo",
    )
    kind: Literal["kmnist"] = "kmnist"


KINDS = (FashionMnistConfig, KmnistConfig, MnistConfig)
