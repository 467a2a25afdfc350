"""What several commands share: the list of commands and the options of one meaning everywhere."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

HELP = {"help_option_names": ["-h", "--help"]}
_PIPED = 141
"""128 + SIGPIPE: nobody reads the output any more."""


class Commands(TyperGroup):
    """The commands in their groups. Plain text: importing rich would double the time of --help."""

    def invoke(self, ctx: Any) -> Any:
        """Runs a command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # typer would end with 1, which stands for a bug.
            raise typer.Exit(_PIPED) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the groups in the order of their first commands."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            panel = getattr(command, "rich_help_panel", None)
            title = panel if isinstance(panel, str) else "Commands"
            groups.setdefault(title, []).append((name, command.get_short_help_str(60)))
        for title, rows in groups.items():
            with formatter.section(title):
                formatter.write_dl(rows)


Config = Annotated[str, typer.Argument(metavar="CONFIG", help="A file or a bundled name.")]
Run = Annotated[
    str, typer.Argument(metavar="RUN", help="A path, NAME/3, NAME (its newest), or last.")
]
Members = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN...", help="A path, NAME/3, NAME (its newest), or last; several: an ensemble."
    ),
]
Runs = Annotated[
    list[str] | None,
    typer.Argument(metavar="RUN...", help="As RUN in eval."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Changes any field: --set optimizer.lr=0.01"),
]
Device = Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Says only what must not be lost.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
Expand = Annotated[
    bool, typer.Option("--expand", help="The config with its network as a list of layers.")
]
Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE.png", help="Draws it into this file.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Does not ask.")]
RunDir = Annotated[
    Path | None, typer.Option(help="The run's folder, exactly; else a new one under runs/.")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continues --run-dir if it holds this experiment.")
]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="Same bits on a GPU too, more slowly.")
]
Smoke = Annotated[
    bool, typer.Option("--smoke", help="Every stage in seconds, in a temporary folder.")
]


def ready() -> None:
    """All is imported: collects garbage again (`main` stopped it), but not among the modules."""
    import gc

    gc.freeze()
    gc.enable()


def check_device(device: str) -> None:
    """Refuses a word that names no device, before torch is imported.

    Raises:
        ConfigError: as a wrong option.
    """
    import re

    from nnlab.base import ConfigError

    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise ConfigError(f"--device {device}: is not one of auto, cpu, cuda, cuda:N, mps")
