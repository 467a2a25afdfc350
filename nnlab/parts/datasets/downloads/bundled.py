"""Small real data sets, in scikit-learn's files: they lie in `scikit_learn/` with its licence.

Copies, because importing scikit-learn to read 200 kB takes a second, and where it keeps its files
is its own affair. `test_bundled.py` holds every number to what scikit-learn itself loads.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, final

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.family import DataConfig, Form, Place, Table, TableSource

_FOLDER = Path(__file__).parent / "scikit_learn"


def _numbers(name: str, *, delimiter: str | None = ",", header: int = 0) -> "NDArray[Any]":
    try:
        found = np.loadtxt(_FOLDER / name, delimiter=delimiter, skiprows=header, dtype=np.float64)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(
            f"data: the file {name} of nnlab is missing or damaged: {error} (install nnlab anew)"
        ) from error
    return found


class _BundledConfig(DataConfig, frozen=True):
    """A data set whose form is known beforehand."""

    costs_little: ClassVar[bool] = True
    known: ClassVar[TableSource]

    def source(self, place: Place) -> TableSource:
        return self.known

    def at_hand(self, place: Place) -> Table | None:
        # Few rows may be of one class, or none; all that there are, are of each.
        return self.read(place) if self.limit or self.exclude else None


class _TableConfig(_BundledConfig, frozen=True):
    """A file with a header line; the last column is the class."""

    file: ClassVar[str]

    def form(self, place: Place) -> Form:
        return "table"

    def read(self, place: Place) -> Table:
        found = _numbers(self.file, header=1)
        return Table(self.known, found[:, :-1].astype(np.float32), found[:, -1].astype(np.int64))


@final
class DigitsConfig(_BundledConfig, frozen=True):
    """Handwritten digits, 8x8 pixels with values 0 to 16: 1,797 images in 10 classes.

    Alpaydin & Kaynak 1998, UCI "Optical Recognition of Handwritten Digits", test part; CC BY 4.0.
    """

    known: ClassVar[TableSource] = TableSource(
        inputs=(1, 8, 8),
        task="classes",
        outputs=10,
        classes=tuple("0123456789"),
        pool=1797,
        peak=16,
    )
    kind: Literal["digits"] = "digits"
    classes: tuple[Annotated[int, Field(ge=0, le=9)], ...] = ()
    """The digits that are taken, two or more; none is all."""

    @field_validator("classes")
    @classmethod
    def _several(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if value and (len(value) < 2 or len({*value}) < len(value)):
            raise PydanticCustomError("value", "needs two digits or more, each once")
        return value

    def form(self, place: Place) -> Form:
        return "images"

    def source(self, place: Place) -> TableSource:
        return self.read(place).source if self.classes else self.known

    def read(self, place: Place) -> Table:
        found = _numbers("digits.csv.gz")
        digits = found[:, -1].astype(np.int64)
        source, chosen = self.known, np.ones(len(digits), bool)
        if self.classes:
            chosen = np.isin(digits, self.classes)
            digits = np.searchsorted(sorted(self.classes), digits)
            source = replace(
                source,
                outputs=len(self.classes),
                classes=tuple(map(str, sorted(self.classes))),
                pool=int(chosen.sum()),
            )
        images = found[:, :-1].astype(np.uint8).reshape(-1, 1, 8, 8)
        return Table(source, images[chosen], digits[chosen])


@final
class IrisConfig(_TableConfig, frozen=True):
    """Three kinds of iris by four measures of the flower: 150 rows.

    Fisher 1936, "The use of multiple measurements in taxonomic problems"; UCI, CC BY 4.0.
    """

    file: ClassVar[str] = "iris.csv"
    known: ClassVar[TableSource] = TableSource(
        inputs=(4,),
        task="classes",
        outputs=3,
        classes=("setosa", "versicolor", "virginica"),
        pool=150,
        columns=("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"),
    )
    own_targets: ClassVar[tuple[str, ...]] = ("species", "class", "variety")
    kind: Literal["iris"] = "iris"


@final
class WineConfig(_TableConfig, frozen=True):
    """Three growers of wine by thirteen chemical measures: 178 rows.

    Forina et al. 1991, UCI "Wine"; CC BY 4.0.
    """

    file: ClassVar[str] = "wine_data.csv"
    known: ClassVar[TableSource] = TableSource(
        inputs=(13,),
        task="classes",
        outputs=3,
        classes=("class_0", "class_1", "class_2"),
        pool=178,
        columns=(
            "alcohol",
            "malic_acid",
            "ash",
            "alcalinity_of_ash",
            "magnesium",
            "total_phenols",
            "flavanoids",
            "nonflavanoid_phenols",
            "proanthocyanins",
            "color_intensity",
            "hue",
            "od280/od315_of_diluted_wines",
            "proline",
        ),
    )
    own_targets: ClassVar[tuple[str, ...]] = ("class", "cultivar", "wine")
    kind: Literal["wine"] = "wine"


_CELL = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave points",
    "symmetry",
    "fractal dimension",
)


@final
class BreastCancerConfig(_TableConfig, frozen=True):
    """Malignant or benign by thirty measures of cell nuclei: 569 rows.

    Wolberg, Street & Mangasarian 1995, UCI "Breast Cancer Wisconsin (Diagnostic)"; CC BY 4.0.
    """

    file: ClassVar[str] = "breast_cancer.csv"
    known: ClassVar[TableSource] = TableSource(
        inputs=(30,),
        task="classes",
        outputs=2,
        classes=("malignant", "benign"),
        pool=569,
        columns=(
            *(f"mean {what}" for what in _CELL),
            *(f"{what} error" for what in _CELL),
            *(f"worst {what}" for what in _CELL),
        ),
    )
    own_targets: ClassVar[tuple[str, ...]] = ("diagnosis", "class")
    kind: Literal["breast_cancer"] = "breast_cancer"


@final
class DiabetesConfig(_BundledConfig, frozen=True):
    """How far diabetes went in a year, a number, by ten measures of the patient: 442 rows.

    Columns as measured; `scale: feature` brings them to one size. Efron et al. 2004, "Least angle
    regression", free to use with that source.
    """

    known: ClassVar[TableSource] = TableSource(
        inputs=(10,),
        task="regression",
        outputs=1,
        classes=(),
        pool=442,
        columns=("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),
    )
    own_targets: ClassVar[tuple[str, ...]] = ("progression", "disease progression", "y")
    kind: Literal["diabetes"] = "diabetes"

    def form(self, place: Place) -> Form:
        return "table"

    def read(self, place: Place) -> Table:
        inputs = _numbers("diabetes_data_raw.csv.gz", delimiter=None)
        targets = _numbers("diabetes_target.csv.gz").reshape(-1, 1)
        return Table(self.known, inputs.astype(np.float32), targets.astype(np.float32))


KINDS = (BreastCancerConfig, DiabetesConfig, DigitsConfig, IrisConfig, WineConfig)
