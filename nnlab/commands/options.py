"""What several commands share: the list of commands and the options of one meaning everywhere."""

import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import typer
from typer.core import TyperGroup

HELP = {"help_option_names": ["-h", "--help"]}
_YAML = (".yaml", ".yml")
_PIPED = 141
"""128 + SIGPIPE: nobody reads the output any more."""


class Commands(TyperGroup):
    """The commands in their panels. Plain text: importing rich would double the time of --help.

    Attributes:
        listed: panel -> command -> its line of help. Such a command is the function, or the group
            of commands, of its name in `nnlab/commands/`; it is imported when it is called.
        examples: command -> one that works, for the foot of its help.
        homes: modules of commands that have a room of their own.
    """

    listed: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    examples: ClassVar[Mapping[str, str]] = {}
    homes: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, panel by panel; behind them what is registered."""
        return [*(n for names in self.listed.values() for n in names), *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command, imported now if it is on the list."""
        if not any(cmd_name in names for names in self.listed.values()):
            return super().get_command(ctx, cmd_name)
        home = f"nnlab.commands.{cmd_name.replace('-', '_')}"
        module = importlib.import_module(self.homes.get(cmd_name, home))
        found = getattr(module, cmd_name.replace("-", "_"))
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(
                rich_markup_mode=None,
                add_completion=False,
                pretty_exceptions_enable=False,
                context_settings=HELP,
            )
            alone.command(cmd_name)(found)
            found = alone
        command = typer.main.get_command(found)
        command.epilog = example_line(self.examples[cmd_name])
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is called; of a misspelled one, the error names what may be meant."""
        word, names = args[0], self.list_commands(ctx)
        if word not in names and not word.startswith("-"):
            from difflib import get_close_matches

            if near := get_close_matches(word.lower(), names, n=1):
                ctx.fail(f"No such command {word!r} (did you mean {near[0]}?)")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The commands that begin so. Of the list by its words: typer would import every one."""
        if not self.listed:
            return super().shell_complete(ctx, incomplete)
        from typer.core import CompletionItem  # pyright: ignore[reportPrivateImportUsage]

        words = {name: line for names in self.listed.values() for name, line in names.items()}
        return [
            CompletionItem(n, help=line) for n, line in words.items() if n.startswith(incomplete)
        ]

    def invoke(self, ctx: Any) -> Any:
        """Runs a command."""
        # Taken before they are parsed: afterwards nobody knows what followed an unknown option.
        words = [*ctx._protected_args, *ctx.args]
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # typer would end with 1, which stands for a bug.
            raise typer.Exit(_PIPED) from None
        except KeyboardInterrupt:
            # typer would end without a word.
            sys.stderr.write("stopped\n")
            raise typer.Exit(130) from None
        except Exception as error:
            # click's NoSuchOption, whose home differs between versions of typer.
            if answer := _set_in_place_of(getattr(error, "option_name", ""), error, words):
                from nnlab.core.errors import ConfigError

                raise ConfigError(answer) from None
            raise

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the panels of the list, or the commands of a group."""
        if not self.listed:
            names = self.list_commands(ctx)
            commands = {name: self.get_command(ctx, name) for name in names}
            panels = {"Commands": {n: c.get_short_help_str(80) for n, c in commands.items()}}
        else:
            panels = self.listed
        for title, rows in panels.items():
            with formatter.section(title):
                formatter.write_dl([*rows.items()])


def example_line(command: str) -> str:
    """What stands at the foot of a command's help."""
    return f"Example: {command}"


def _set_in_place_of(option: str, error: Any, words: list[str]) -> str:
    """The --set that an unknown option of a command with --set stands for; empty if none does."""
    if not option.startswith("-") or error.ctx is None:
        return ""
    command = error.ctx.command
    if all(parameter.name != "set_" for parameter in command.params):
        return ""
    from nnlab.config.words.unknown_option import set_in_place_of

    return set_in_place_of(command.name, option, words)


# A shell asks at every press of the tab key: nothing below loads torch, and what it imports it
# imports when it is asked.


def complete_bundled(incomplete: str) -> list[str]:
    """The names of the bundled configs."""
    from nnlab.config.loading import bundled_configs

    return words_beginning(bundled_configs(), incomplete)


def complete_config(incomplete: str) -> list[str]:
    """CONFIG: the names of the bundled configs, YAML files, and folders on the way to them."""
    return [*complete_bundled(incomplete), *_yaml_files(incomplete)]


def complete_run(incomplete: str) -> list[str]:
    """RUN: the names of experiments, their runs, and last."""
    from nnlab.runs.folder.find import known_runs

    return words_beginning(known_runs(), incomplete)


def complete_run_or_config(incomplete: str) -> list[str]:
    """RUN or CONFIG."""
    return [*complete_run(incomplete), *complete_config(incomplete)]


def words_beginning(words: Iterable[str], incomplete: str) -> list[str]:
    """Those of the words that begin so."""
    return [word for word in words if word.startswith(incomplete)]


def _yaml_files(incomplete: str) -> Iterator[str]:
    # By hand, as it was typed: a Path would lose the "./" that the shell wants to see again.
    head, slash, start = incomplete.rpartition("/")
    try:
        entries = sorted(Path(f"{head}{slash}" or ".").iterdir())
    except OSError:
        return
    for path in entries:
        if not path.name.startswith(start) or (path.name.startswith(".") and not start):
            continue
        if path.is_dir():
            yield f"{head}{slash}{path.name}/"
        elif path.suffix in _YAML:
            yield f"{head}{slash}{path.name}"


ConfigArgument = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG",
        help="A file or a bundled name.",
        autocompletion=complete_config,
    ),
]
RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A path, NAME/3, NAME (its newest), or last.",
        autocompletion=complete_run,
    ),
]
MembersArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN...",
        help="A path, NAME/3, NAME (its newest), or last; several: an ensemble.",
        autocompletion=complete_run,
    ),
]
RunsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN...",
        help="Paths, NAME/3, NAME (its newest), or last.",
        autocompletion=complete_run,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Changes any field: --set optimizer.lr=0.01"),
]
DeviceOption = Annotated[
    str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Prints warnings only.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Prints one JSON object and nothing else.")
]
ExpandOption = Annotated[
    bool, typer.Option("--expand", help="The config with its network as a list of layers.")
]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE.png", help="Saves the plot in this file.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Does not ask for confirmation.")]
RunDirOption = Annotated[
    Path | None, typer.Option(help="The folder of the run; default: a new one in runs/.")
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Continues the run in --run-dir, if it is of this config.")
]
DeterministicOption = Annotated[
    bool,
    typer.Option("--deterministic", help="Deterministic algorithms on a GPU too (slower)."),
]
SmokeOption = Annotated[
    bool, typer.Option("--smoke", help="A quick test of every stage, in a temporary folder.")
]


def collect_garbage_again() -> None:
    """All is imported: collects garbage again (`main` stopped it), but not among the modules."""
    import gc

    gc.freeze()
    gc.enable()


def show_text(text: str, *, nl: bool = True, err: bool = False) -> None:
    """Writes a page or a line of a command's own, with nothing in it that acts on the terminal.

    Args:
        text: what to write; in it stand names of others.
        nl: whether a line break follows.
        err: on stderr instead of stdout.
    """
    from nnlab.core.wrap import visible_text

    typer.echo(visible_text(text), nl=nl, err=err)


def show_path(path: object) -> None:
    """Writes a path as it is where a program reads it, and so that one sees it on a terminal."""
    import sys

    from nnlab.core.wrap import visible_text

    typer.echo(visible_text(str(path)) if sys.stdout.isatty() else str(path))


def is_run_name(what: str, *, prefer: Literal["run", "config"] = "config") -> bool:
    """A folder is a run, a file or a bundled name a config; anything else is looked for as a run.

    Args:
        what: as the user wrote it.
        prefer: what a name is that both a run and a bundled config have. Its runs are NAME/1,
            NAME/2 in any case.

    Raises:
        ConfigError: it is neither.
    """
    from contextlib import suppress

    from nnlab.config.loading import bundled_configs
    from nnlab.core.errors import ConfigError
    from nnlab.runs.folder.find import find_run, is_run

    path = Path(what)
    if path.is_dir() or is_run(path):
        return True
    if (
        what == "-"
        or path.suffix in (".yaml", ".yml")
        or (path.is_file() and path.parts != (what,))
    ):
        return False
    if path.is_file() or what in bundled_configs():
        with suppress(ConfigError):
            return prefer == "run" and bool(find_run(what))
        return False
    find_run(what)
    return True


def tell(text: str) -> None:
    """Writes a sentence for a person on stderr, as wide as the terminal."""
    import sys

    from nnlab.core.wrap import write_wrapped

    write_wrapped(sys.stderr, text)


def check_device(device: str) -> None:
    """Refuses a word that names no device, before torch is imported.

    Raises:
        ConfigError: as a wrong option.
    """
    import re

    from nnlab.core.errors import ConfigError

    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise ConfigError(f"--device {device}: is not one of auto, cpu, cuda, cuda:N, mps")
