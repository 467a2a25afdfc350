"""The commands: words in, one function of another module called, results out.

Results go to stdout, what a person reads on the way goes to stderr. Everything heavy is imported
inside the commands, so that `nnlab --help` is quick.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nnlab import options
from nnlab.cli_backprop import backprop
from nnlab.cli_bench import bench
from nnlab.cli_compare import compare
from nnlab.cli_doctor import doctor
from nnlab.cli_eval import evaluate, print_scores
from nnlab.cli_lr import lr
from nnlab.cli_pictures import pictures
from nnlab.cli_predict import predict
from nnlab.cli_runs import runs_app
from nnlab.options import check_device as _check_device
from nnlab.options import ready as _ready

if TYPE_CHECKING:
    from nnlab.experiment import Experiment
    from nnlab.group import Group
    from nnlab.group_view import GroupView
    from nnlab.loading import Text
    from nnlab.terminal import View

_EXPERIMENTS, _RUNS, _LANGUAGE = "Experiments", "Runs", "The language"
app = typer.Typer(
    cls=options.Commands,
    help="A laboratory for neural networks: YAML in; a trained, measured, explained network out.",
    epilog="A first run: nnlab train digits_mlp",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=options.HELP,
)
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
    set_: options.Set = None,
    format: Annotated[
        Literal["text", "github"], typer.Option(help="How mistakes are told.")
    ] = "text",
) -> None:
    """Is it written right? Quick: nothing is built or loaded."""
    from nnlab.check import check as check_files

    raise typer.Exit(check_files(files, set_ or [], style=format))


@app.command(rich_help_panel=_EXPERIMENTS)
def show(
    config: options.Config,
    set_: options.Set = None,
    data: Annotated[bool, typer.Option("--data", help="Loads and shows the data.")] = False,
    plot: options.Plot = None,
    expand: options.Expand = False,
    json: options.Json = False,
) -> None:
    """What will be built: layers, shapes, parameters, memory, formulas, every auto."""
    from nnlab.show import show as show_config

    page = show_config(config, set_ or [], data=data, plot=plot, expand=expand, as_json=json)
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
    from nnlab import ahead
    from nnlab.base import ConfigError
    from nnlab.loading import place_for

    if resume and run_dir is None:
        raise ConfigError("--resume: needs --run-dir DIR (nnlab resume RUN continues a run)")
    _check_device(device)
    text, group, (experiment, *_) = _checked(config, set_ or [])
    if smoke:
        from nnlab.smoke import smoke_all

        _ready()
        print_scores(smoke_all(group, device=device, view=_view(quiet)), json=json)
        return
    if group.compares:
        from nnlab.grouped import train_group

        _ready()
        comparison = train_group(
            group,
            source=text.text,
            run_dir=run_dir,
            resume=resume,
            device=device,
            deterministic=deterministic,
            view=_group_view(quiet),
        )
        _print_summary(comparison, json=json)
        return
    ahead.begin(experiment.config.data, place_for(experiment.config.origins.folder))
    from nnlab.run import train as run_train

    _ready()
    summary = run_train(
        text,
        overrides=set_ or [],
        run_dir=run_dir,
        resume=resume,
        device=device,
        deterministic=deterministic,
        view=_view(quiet),
    )
    _print_summary(summary, json=json)


app.command(rich_help_panel=_EXPERIMENTS)(lr)
app.command(rich_help_panel=_EXPERIMENTS)(backprop)
app.command(rich_help_panel=_RUNS)(compare)
app.command(rich_help_panel=_RUNS)(predict)
app.command(rich_help_panel=_EXPERIMENTS)(doctor)
app.command(rich_help_panel=_EXPERIMENTS)(bench)
app.command(rich_help_panel=_RUNS)(pictures)


app.command("eval", rich_help_panel=_EXPERIMENTS)(evaluate)


@app.command(rich_help_panel=_RUNS)
def resume(
    run: options.Run,
    set_: options.Set = None,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Continues a run; only durations and logging may change."""
    from nnlab.runs import find, is_group

    _check_device(device)
    folder = find(run)
    if is_group(folder):
        from nnlab.grouped import resume_group

        _ready()
        view = _group_view(quiet)
        _print_summary(resume_group(folder, set_ or [], device=device, view=view), json=json)
        return
    from nnlab.run import resume as resume_run

    _ready()
    summary = resume_run(folder, overrides=set_ or [], device=device, view=_view(quiet))
    _print_summary(summary, json=json)


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
        str | None, typer.Argument(help="A menu: losses, a kind: relu, or a field: lr.")
    ] = None,
    plot: options.Plot = None,
) -> None:
    """What a config can choose from; --plot draws activations."""
    if plot is not None:
        from nnlab.menu_plot import plot as draw

        typer.echo(str(draw(name, plot)))
        return
    from nnlab.menu import page

    typer.echo(page(name), nl=False)


@app.command(rich_help_panel=_LANGUAGE)
def schema() -> None:
    """The JSON schema of the language, for editors."""
    from nnlab.schema import text

    typer.echo(text())


def _view(quiet: bool) -> "View":
    from nnlab.terminal import open_view

    return open_view(quiet=quiet, stream=sys.stderr)


def _group_view(quiet: bool) -> "GroupView":
    from nnlab.group_view import GroupView

    return GroupView(quiet=quiet, stream=sys.stderr)


def _checked(config: str, overrides: list[str]) -> "tuple[Text, Group, list[Experiment]]":
    """Tells mistakes before torch is imported, which takes seconds; `-` can be read only once."""
    from nnlab.check import settled_group
    from nnlab.loading import read_text

    text = read_text(config)
    group, experiments = settled_group(text, overrides)
    return text, group, list(experiments.values())


def _print_summary(summary: Any, *, json: bool) -> None:
    if json:
        from json import dumps

        typer.echo(dumps({"run": str(summary.run), **summary.plain()}, default=str))
    else:
        typer.echo(str(summary.run))
    raise typer.Exit(summary.exit_code)
