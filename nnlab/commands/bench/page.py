"""The facts of a measurement as tables."""

from nnlab.commands.bench.build_step import StepBuild
from nnlab.commands.bench.facts import BenchFacts, ProgramFacts
from nnlab.commands.bench.measuring import OURS
from nnlab.commands.bench.spread import Spread
from nnlab.core.text import render_text, text_grid

HEAD = ("", "command, s", "first step, s", "step, us", "samples/s", "memory, MB")


def bench_page(facts: BenchFacts) -> str:
    """What a person reads; docs/speed.md says what each number means."""
    work, machine = facts.work, facts.machine
    threads = f"{machine.threads} thread{'' if machine.threads == 1 else 's'}"
    title = (
        f"{facts.name}: {work.parameters:,} parameters, batch {work.batch}, "
        f"{work.long} ({work.long_steps:,} steps), {threads}"
    )
    times = "run" if facts.repeats == 1 else "runs: median (least-most)"
    where = f"{machine.cpu}, {machine.cores} cores; {facts.repeats} {times}"
    rows = [(name, *_row(program)) for name, program in facts.programs.items()]
    tables = [text_grid(rows, head=HEAD, right=tuple(range(1, len(HEAD))), whole=(0,))]
    if facts.ratios:
        ratios = [
            (f"{OURS} / {name}", _many(found.command, 1), _many(found.step, 1))
            for name, found in facts.ratios.items()
        ]
        head = ("", "command", "step")
        tables += ["", text_grid(ratios, head=head, right=(1, 2), whole=(0, 1, 2))]
    lines = [f"{name}: left out, {why}" for name, why in facts.skipped.items()]
    return render_text(title, where, "", *tables, "", *_lines(facts), *lines, width=100)


def _row(program: ProgramFacts) -> tuple[str, ...]:
    samples, peak = program.samples_per_second, program.peak_memory
    return (
        _many(program.command, 1),
        _many(program.first_step, 1),
        _many(program.step, 1e6),
        "lost in noise" if samples is None else f"{samples:,.0f}",
        "-" if peak is None else f"{peak / 1e6:,.0f}",
    )


def _many(found: Spread | None, unit: float) -> str:
    if found is None:
        return "lost in noise"
    median, least, most = (_digits(value * unit) for value in found)
    return median if least == most else f"{median} ({least}-{most})"


def _digits(value: float) -> str:
    """Three of them."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _lines(facts: BenchFacts) -> list[str]:
    """What nnlab alone tells."""
    ours, roof = facts.programs[OURS], facts.roofline
    bare = facts.import_torch
    memory = "" if bare.peak_memory is None else f", {bare.peak_memory / 1e6:,.0f} MB"
    lines = [
        f"training {_many(ours.train, 1)} s of the command; {_build(facts.build, ours)}",
        f"import torch alone: {_digits(bare.seconds)} s{memory}",
    ]
    if (reached := facts.reached) is None:
        return lines
    return [
        *lines,
        f"{reached.flops / 1e9:.3g} GFLOP/s, {reached.flops_share:.1%} of a matrix product's "
        f"{roof.flops / 1e9:.3g}; {reached.bytes / 1e9:.3g} GB/s, "
        f"{reached.bytes_share:.1%} of a copy's {roof.bytes / 1e9:.3g}",
    ]


def _build(built: StepBuild, ours: ProgramFacts) -> str:
    if not built.compiled:
        return f"eager steps, {built.why}"
    ready = f"ready in {1e3 * (ours.compile or 0.0):.0f} ms"
    return f"the step took {built.seconds:.1f} s to build, once, and is {ready}"
