"""Data sets: what a network learns from. Each kind describes, reads, splits and scales itself.

To add one: see `family.py`, then name the class here.
"""

from typing import Annotated

from nnlab.choices import Menu
from nnlab.parts.datasets.archives import Cifar10Config, Cifar100Config, SvhnConfig
from nnlab.parts.datasets.bundled import (
    BreastCancerConfig,
    DiabetesConfig,
    DigitsConfig,
    IrisConfig,
    WineConfig,
)
from nnlab.parts.datasets.csv_table import CsvConfig
from nnlab.parts.datasets.idx import FashionMnistConfig, KmnistConfig, MnistConfig
from nnlab.parts.datasets.image_folder import ImageFolderConfig
from nnlab.parts.datasets.npz import NpzConfig
from nnlab.parts.datasets.synthetic import (
    AndConfig,
    BlobsConfig,
    CirclesConfig,
    FunctionConfig,
    MoonsConfig,
    OrConfig,
    SpiralsConfig,
    XorConfig,
)

Data = Annotated[
    AndConfig
    | BlobsConfig
    | BreastCancerConfig
    | Cifar10Config
    | Cifar100Config
    | CirclesConfig
    | CsvConfig
    | DiabetesConfig
    | DigitsConfig
    | FashionMnistConfig
    | FunctionConfig
    | ImageFolderConfig
    | IrisConfig
    | KmnistConfig
    | MnistConfig
    | MoonsConfig
    | NpzConfig
    | OrConfig
    | SpiralsConfig
    | SvhnConfig
    | WineConfig
    | XorConfig,
    Menu(),
]
