"""The list of commands. What one says and does stands in `nnlab/commands/`, under its own name.

To add one: a file or folder there with a function of the command's name, and a line here. It is
imported when it is called; `nnlab --help` reads this list alone.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import typer

from nnlab.commands.options import HELP, Commands

COMMANDS = {
    "Experiments": {
        "new": "Lists the bundled configs, or writes one here to start from.",
        "check": "Is a config written right? Quick: nothing is built or loaded.",
        "show": "What will be built: layers, shapes, parameters, memory, formulas.",
        "train": "Trains. The last line on stdout is the run's folder.",
        "studio": "Build a network in the browser, and watch it train.",
        "lr": "Which learning rate? Tries growing ones on a fresh network.",
        "backprop": "One forward and one backward pass by hand, proved three ways.",
        "doctor": "What is wrong, where, since when, and what to change.",
        "bench": "How fast does it train here? Alone, or beside other libraries.",
        "eval": "Scores the best checkpoint of a run on a split.",
    },
    "Runs": {
        "runs": "Lists the runs; runs rm and runs prune remove some.",
        "compare": "What do runs differ in? Configs, curves, scores and weights.",
        "predict": "What does the best network of a run say of these files?",
        "generate": "Goes on with a text, as the network of a run learned it.",
        "explain": "Which inputs does an answer come from?",
        "export": "Writes the network as ONNX, torch.export or weights.",
        "import-weights": "Makes a safetensors file of a .pth, without running its code.",
        "pictures": "Draws a run at its beginning, its best and its end.",
        "verify": "Is every file of a run what nnlab wrote? Checks their sums.",
        "resume": "Continues a run; only durations and logging may change.",
        "tensorboard": "TensorBoard on these runs, or on the newest ten.",
    },
    "The language": {
        "menu": "What a config can choose from; --plot draws activations.",
        "schema": "The JSON schema of the language, for editors.",
    },
}
"""Panel of the help -> command -> its line there."""

EXAMPLES = {
    "new": "nnlab new digits_mlp",
    "check": "nnlab check digits_mlp.yaml --set train.epochs=3",
    "show": "nnlab show digits_mlp --data",
    "train": "nnlab train digits_mlp --set optimizer.lr=0.01",
    "studio": "nnlab studio digits_mlp",
    "lr": "nnlab lr digits_mlp --plot rates.png",
    "backprop": "nnlab backprop xor --example 2",
    "doctor": "nnlab doctor digits_mlp/1 --cure",
    "bench": "nnlab bench digits_mlp --against sklearn",
    "eval": "nnlab eval digits_mlp/1 --split validation --report",
    "runs": "nnlab runs --json",
    "compare": "nnlab compare digits_mlp/1 digits_mlp/2 --html curves.html",
    "predict": "nnlab predict iris/1 flowers.csv --proba",
    "generate": "nnlab generate last --prompt 'To be' --temperature 0.8",
    "explain": "nnlab explain digits_cnn/1 --row 12 --class 3",
    "export": "nnlab export iris/1 --to onnx --out iris.onnx",
    "import-weights": "nnlab import-weights resnet18.pth --out resnet18.safetensors",
    "pictures": "nnlab pictures digits_mlp/1 --format svg",
    "verify": "nnlab verify digits_mlp/1",
    "resume": "nnlab resume digits_mlp/1 --set train.epochs=30",
    "tensorboard": "nnlab tensorboard digits_mlp/1 digits_mlp/2",
    "menu": "nnlab menu losses",
    "schema": "nnlab schema > nnlab.schema.json",
}
"""What stands at the foot of each command's help."""


class _Listed(Commands):
    """The commands of the list."""

    listed = COMMANDS
    examples = EXAMPLES
    homes: ClassVar[Mapping[str, str]] = {"studio": "nnlab.studio.command"}


app = typer.Typer(
    cls=_Listed,
    help="A laboratory for neural networks: YAML in; a trained, measured, explained network out.",
    epilog="A first run: nnlab train digits_mlp",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP,
)


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
