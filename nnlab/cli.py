"""The commands: words in, one function of another module called, results out.

Results go to stdout, what a person reads on the way goes to stderr. Everything heavy is imported
inside the commands, so that `nnlab --help` is quick.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nnlab import options

if TYPE_CHECKING:
    from nnlab.terminal import View

_EXPERIMENTS, _RUNS, _LANGUAGE = "Experiments", "Runs", "The language"
_HELP = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    cls=options.Commands,
    help="A laboratory for neural networks: YAML in; a trained, measured, explained network out.",
    epilog="A first run: nnlab train digits_mlp",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=_HELP,
)
runs_app = typer.Typer(cls=options.Commands, rich_markup_mode=None, context_settings=_HELP)
app.add_typer(runs_app, name="runs", rich_help_panel=_RUNS)


def _print_version(asked: bool) -> None:
    if asked:
        from nnlab import __version__

        typer.echo(f"nnlab {__version__}")
        raise typer.Exit


@app.callback()
def _everywhere(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="The version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Shows the traceback of an error, in any command.")
    ] = False,
) -> None:
    """`main` takes --debug out of the words before they come here."""


@app.command(rich_help_panel=_EXPERIMENTS)
def new(
    name: Annotated[str | None, typer.Argument(help="A bundled config.")] = None,
    file: Annotated[Path | None, typer.Argument(help="Where to write it; NAME.yaml here.")] = None,
) -> None:
    """Lists the bundled configs, or writes one here to start from."""
    from nnlab.new import listing, write

    typer.echo(listing() if name is None else write(name, file))


@app.command(rich_help_panel=_EXPERIMENTS)
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files or bundled names.")],
    format: Annotated[
        Literal["text", "github"], typer.Option(help="How mistakes are told.")
    ] = "text",
) -> None:
    """Is it written right? Quick: nothing is built or loaded."""
    from nnlab.check import check as check_files

    raise typer.Exit(check_files(files, style=format))


@app.command(rich_help_panel=_EXPERIMENTS)
def show(
    config: options.Config,
    set_: options.Set = None,
    data: Annotated[bool, typer.Option("--data", help="Loads and shows the data.")] = False,
    expand: options.Expand = False,
    json: options.Json = False,
) -> None:
    """What will be built: layers, shapes, parameters, memory, formulas, every auto."""
    from nnlab.show import show as show_config

    page = show_config(config, set_ or [], data=data, expand=expand, as_json=json)
    typer.echo(page, nl=False)


@app.command(rich_help_panel=_EXPERIMENTS)
def train(
    config: options.Config,
    set_: options.Set = None,
    device: options.Device = "auto",
    run_dir: options.RunDir = None,
    resume: options.Resume = False,
    deterministic: options.Deterministic = False,
    smoke: options.Smoke = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Trains. The last line on stdout is the run's folder."""
    from nnlab.base import ConfigError

    if resume and run_dir is None:
        raise ConfigError("--resume: needs --run-dir DIR (nnlab resume RUN continues a run)")
    _check_device(device)
    _check_config(config, set_ or [])
    if smoke:
        from nnlab.smoke import smoke as run_smoke

        _ready()
        found = run_smoke(config, overrides=set_ or [], device=device, view=_view(quiet))
        _print_scores(found, json=json)
        return
    from nnlab.run import train as run_train

    _ready()
    summary = run_train(
        config,
        overrides=set_ or [],
        run_dir=run_dir,
        resume=resume,
        device=device,
        deterministic=deterministic,
        view=_view(quiet),
    )
    _print_summary(summary, json=json)


@app.command("eval", rich_help_panel=_EXPERIMENTS)
def evaluate(
    run: options.Run = "last",
    split: Annotated[
        Literal["test", "validation", "train"], typer.Option(help="Which rows.")
    ] = "test",
    device: options.Device = "auto",
    json: options.Json = False,
) -> None:
    """Scores the best checkpoint of a run on a split."""
    from nnlab.runs import find

    _check_device(device)
    folder = find(run)
    from nnlab.evaluation import evaluate as evaluate_run

    _ready()
    _print_scores(evaluate_run(folder, split=split, device=device), json=json)


@app.command(rich_help_panel=_RUNS)
def resume(
    run: options.Run,
    set_: options.Set = None,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Continues a run; only durations and logging may change."""
    from nnlab.runs import find

    _check_device(device)
    folder = find(run)
    from nnlab.run import resume as resume_run

    _ready()
    summary = resume_run(folder, overrides=set_ or [], device=device, view=_view(quiet))
    _print_summary(summary, json=json)


@runs_app.callback(invoke_without_command=True)
def runs(ctx: typer.Context, json: options.Json = False) -> None:
    """Lists the runs; runs rm and runs prune remove some."""
    if ctx.invoked_subcommand is None:
        from nnlab.runs import table

        typer.echo(table(as_json=json), nl=False)


@runs_app.command()
def rm(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...")], yes: options.Yes = False
) -> None:
    """Removes runs. One that is being trained is removed with --yes alone."""
    from nnlab.runs import find, remove

    for folder in remove([find(run) for run in runs], yes=yes):
        typer.echo(f"removed {folder}", err=True)


@runs_app.command()
def prune(
    keep: Annotated[
        int | None, typer.Option(min=0, help="Keeps the newest of each name, removes the others.")
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Removes what failed, diverged or was left behind.")
    ] = False,
    yes: options.Yes = False,
) -> None:
    """Removes old or failed runs, after asking. Those in training stay."""
    from nnlab.runs import confirm, prunable, remove

    folders = prunable(keep=keep, failed=failed)
    if not folders:
        typer.echo("nothing to remove", err=True)
    elif yes or confirm(folders):
        for folder in remove(folders, yes=False):
            typer.echo(f"removed {folder}", err=True)


@app.command(rich_help_panel=_RUNS)
def tensorboard(
    runs: options.Runs = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 6006,
) -> None:
    """TensorBoard on these runs, or on the newest ten; on this machine alone."""
    from nnlab.board import serve

    raise typer.Exit(serve(runs or [], port=port))


@app.command(rich_help_panel=_LANGUAGE)
def menu(
    name: Annotated[
        str | None, typer.Argument(help="A menu, such as losses, or a kind: relu.")
    ] = None,
) -> None:
    """What a config can choose from."""
    from nnlab.menu import page

    typer.echo(page(name), nl=False)


@app.command(rich_help_panel=_LANGUAGE)
def schema() -> None:
    """The JSON schema of the language, for editors."""
    from nnlab.schema import text

    typer.echo(text())


def _ready() -> None:
    """All is imported: collects garbage again (`main` stopped it), but not among the modules."""
    import gc

    gc.freeze()
    gc.enable()


def _view(quiet: bool) -> "View":
    from nnlab.terminal import open_view

    return open_view(quiet=quiet, stream=sys.stderr)


def _check_device(device: str) -> None:
    import re

    from nnlab.base import ConfigError

    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise ConfigError(f"--device {device}: is not one of auto, cpu, cuda, cuda:N, mps")


def _check_config(config: str, overrides: list[str]) -> None:
    """Tells mistakes before torch is imported, which takes seconds; `-` can be read only once."""
    if config != "-":
        from nnlab.check import settled

        settled(config, overrides)


def _print_summary(summary: Any, *, json: bool) -> None:
    if json:
        from json import dumps

        typer.echo(dumps({"run": str(summary.run), **summary.plain()}, default=str))
    else:
        typer.echo(str(summary.run))
    raise typer.Exit(summary.exit_code)


def _print_scores(found: dict[str, Any], *, json: bool) -> None:
    if json:
        from json import dumps

        typer.echo(dumps(found, default=str))
        return
    from nnlab.printing import listed

    typer.echo(listed(found), nl=False)
