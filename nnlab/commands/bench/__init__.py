"""`nnlab bench`: the words of a measurement."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nnlab.commands import options

_BuildOption = Annotated[
    bool,
    typer.Option(
        "--build",
        help="Only builds the compiled step, if it is not there; kept in NNLAB_CACHE, up to "
        "1 GiB and 90 days without use.",
    ),
]


def bench(
    config: options.ConfigArgument,
    set_: options.SetOption = None,
    against: Annotated[
        str, typer.Option(help="Peers with commas: hand-loop,lightning,keras-jax,jax,sklearn.")
    ] = "",
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="How often each program runs.")] = 5,
    peer_python: Annotated[
        Path | None, typer.Option(help="The Python of the peers; default: this one.")
    ] = None,
    peer_threads: Annotated[
        int | None,
        typer.Option(min=0, help="Threads of peers; default: as the run; 0: they choose."),
    ] = None,
    build: _BuildOption = False,
    json: options.JsonOption = False,
) -> None:
    """How fast does it train here? Alone, or in turn with peers that do the same work.

    Every run is a process of its own, on the CPU. A turn runs each program as long as the config
    says and then for one epoch; the steady step is the difference of their wall times over that of
    their steps. FLOP/s counts 3 x the network's forward pass for each example; bytes/s counts
    weights and optimizer state read and written once a step, and the inputs read once: both are
    set beside what a large float32 matrix product and a large copy reach on as many threads.
    """
    import json as json_lines

    from nnlab.commands.bench import peers
    from nnlab.commands.bench.work import work_of

    names = peers.chosen_peers(against)
    work = work_of(config, set_ or [])
    if build:
        from nnlab.commands.bench.build_step import build_missing_step, build_sentence

        options.collect_garbage_again()
        built = build_missing_step(work)
        typer.echo(json_lines.dumps(built.plain()) if json else build_sentence(built))
        return
    from nnlab.commands.bench.facts import bench_facts
    from nnlab.commands.bench.measuring import BenchOptions, measure_programs
    from nnlab.commands.bench.page import bench_page

    threads = work.threads if peer_threads is None else peer_threads
    python = sys.executable if peer_python is None else str(peer_python)
    asked = BenchOptions(names, repeats, python, threads, options.tell)
    found = bench_facts(work, asked, measure_programs(work, asked))
    options.show_text(bench_page(found), err=json, nl=False)
    if json:
        typer.echo(json_lines.dumps(found.plain()))
