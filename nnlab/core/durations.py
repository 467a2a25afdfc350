"""`Duration`: how long something takes in training; a bare number means epochs."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Unit = Literal["epochs", "steps", "%"]

_TEXT = re.compile(r"(\d+(?:\.\d+)?)\s*(epochs?|steps?|%)")
_UNITS: dict[str, Unit] = {
    "epoch": "epochs",
    "step": "steps",
    "%": "%",
}
_MINUTES = re.compile(r"(\d+(?:\.\d+)?)\s*(?:min|minutes?|s|sec|seconds?|h|hours?)")
FORMS = "a number of epochs, or such as '500 steps' or '10%'"


@dataclass(frozen=True, slots=True)
class Duration:
    """An amount of training: 3 (epochs), `500 steps`, `10%` of the run."""

    amount: float
    unit: Unit = "epochs"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Reads what stands in YAML.

        Raises:
            PydanticCustomError: "duration", if it is none of the forms or negative.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12:
            return cls(value)
        match = _TEXT.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None or float(match[1]) >= 1e12:
            text = "needs {forms}"
            if isinstance(value, str) and _MINUTES.fullmatch(value.strip()):
                # What is counted in steps repeats exactly; a clock depends on the machine.
                text += " (only the whole run can be counted by the clock, as train.minutes)"
            raise PydanticCustomError("duration", text, {"forms": FORMS})
        amount, unit = _number(match[1]), _UNITS[match[2].removesuffix("s")]
        if unit == "%" and amount > 100:
            raise PydanticCustomError("duration", "needs at most 100% of the run")
        return cls(amount, unit)

    def steps(self, *, per_epoch: int, total: int | None) -> int:
        """The duration in optimizer steps, rounded to the nearest.

        Args:
            per_epoch: steps in one epoch.
            total: steps in the whole run; None if that is not known (a run in minutes).

        Raises:
            ValueError: for `%` of an unknown total.
        """
        if self.unit == "epochs":
            return round(self.amount * per_epoch)
        if self.unit == "steps":
            return round(self.amount)
        if self.unit == "%" and total is not None:
            return round(self.amount / 100 * total)
        raise ValueError(f"{self} cannot be said in steps")

    def plain(self) -> int | float | str:
        """The shortest form that YAML reads back as the same duration."""
        number = _number(repr(self.amount))
        if self.unit == "epochs":
            return number
        # Without an exponent, which Python writes below 1e-4 and `parse` does not take.
        text = f"{Decimal(repr(number)):f}"
        return f"{text}%" if self.unit == "%" else f"{text} {self.unit}"

    def __str__(self) -> str:
        return f"{self.plain()} epochs" if self.unit == "epochs" else str(self.plain())

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        written = core_schema.union_schema(
            [core_schema.float_schema(ge=0), core_schema.str_schema()]
        )
        return core_schema.no_info_plain_validator_function(
            cls.parse,
            json_schema_input_schema=written,
            serialization=core_schema.plain_serializer_function_ser_schema(cls.plain),
        )


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value
