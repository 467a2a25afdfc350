"""TensorBoard's events as protocol buffers, and the records that hold them.

Imported late, by the writer thread. Tags and plugin data are those of TensorBoard's own plugins
(tensorboard/plugins/hparams, custom_scalar, text); their helpers need TensorFlow or import it.
"""

import struct
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, TypeAlias

from nnlab.core.contracts import Plan, Shape, Status
from nnlab.core.wrap import visible_text

Message: TypeAlias = Any
"""A protocol buffer. Their classes come into being on import: no type checker knows them."""


GraphCategory: TypeAlias = tuple[str, Mapping[str, Sequence[str]]]
"""A title, and for each of its charts the patterns of the tags in it."""


def _messages(name: str) -> Any:
    return import_module(f"tensorboard.{name}_pb2")


_attributes, _events, _graphs, _nodes, _summaries, _tensors, _shapes, _types, _versions = (
    _messages(f"compat.proto.{name}")
    for name in (
        "attr_value",
        "event",
        "graph",
        "node_def",
        "summary",
        "tensor",
        "tensor_shape",
        "types",
        "versions",
    )
)
_layouts = _messages("plugins.custom_scalar.layout")
_api = _messages("plugins.hparams.api")
_plugin_data = _messages("plugins.hparams.plugin_data")


def _crc_table() -> tuple[int, ...]:
    table: list[int] = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _crc_table()


def masked_crc(data: bytes) -> int:
    """CRC-32C (Castagnoli), turned and shifted as TFRecord files want it.

    TensorBoard's own is a Python loop as well, but importing it brings in half of TensorBoard
    (0.1 s). test_tensorboard.py holds the two together.
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def frame(event: Message) -> bytes:
    """A TFRecord: length, its checksum, the event, its checksum; little-endian."""
    data = event.SerializeToString()
    head = struct.pack("<Q", len(data))
    return b"".join(
        (head, struct.pack("<I", masked_crc(head)), data, struct.pack("<I", masked_crc(data)))
    )


def opening(purge_step: int | None) -> Iterator[Message]:
    """What a file begins with; a purge tells readers to forget this step and later ones."""
    yield _events.Event(wall_time=time.time(), file_version="brain.Event:2")
    if purge_step is not None:
        log = _events.SessionLog(status=_events.SessionLog.START)
        yield _events.Event(wall_time=time.time(), step=purge_step, session_log=log)


def scalars(
    points: Mapping[str, float], *, step: int, about: Mapping[str, str] | None = None
) -> Message:
    """One point for each tag; `about` describes those that come for the first time."""
    entries = [
        _summaries.Summary.Value(
            tag=tag,
            simple_value=value,
            metadata=described(text) if (text := (about or {}).get(tag)) else None,
        )
        for tag, value in points.items()
    ]
    return values(entries, step=step)


def described(about: str) -> Message:
    """What TensorBoard shows behind the i of a curve."""
    return _summaries.SummaryMetadata(
        summary_description=about,
        plugin_data=_summaries.SummaryMetadata.PluginData(plugin_name="scalars"),
    )


def text(tag: str, markdown: str, *, step: int = 0) -> Message:
    """A text, shown as Markdown, of a step of the run."""
    return plugin(tag, "text", tensor=_string(visible_text(markdown).encode()), step=step)


def layout(categories: Sequence[GraphCategory]) -> Message:
    """The custom scalars page: curves that are read together share a chart."""
    found = _layouts.Layout(
        category=[
            _layouts.Category(
                title=title, chart=[_chart(*chart) for chart in charts.items()], closed=number > 0
            )
            for number, (title, charts) in enumerate(categories)
        ]
    )
    tensor = _string(found.SerializeToString())
    return plugin("custom_scalars__config__", "custom_scalars", tensor=tensor)


def graph(plans: Sequence[Plan], inputs: Shape) -> Message:
    """The network as TensorBoard draws graphs: a node per layer, a box per block."""
    node = _nodes.NodeDef(name="input", op="Placeholder")
    node.attr["_output_shapes"].CopyFrom(_output_shapes(inputs))
    nodes, _ = _chain(plans, "input")
    drawn = _graphs.GraphDef(node=[node, *nodes], versions=_versions.VersionDef(producer=22))
    return _events.Event(wall_time=time.time(), graph_def=drawn.SerializeToString())


def experiment(
    hyperparameters: Mapping[str, object], metrics: Sequence[str], *, first: Collection[str] = ()
) -> Message:
    """The columns of the hparams table: those of `first`, then all others, both by name.

    TensorBoard opens the first five, and puts those first that are said to differ.
    """
    kinds: dict[type, Message] = {
        bool: _api.DATA_TYPE_BOOL,
        int: _api.DATA_TYPE_FLOAT64,
        float: _api.DATA_TYPE_FLOAT64,
    }
    about = _api.Experiment(
        time_created_secs=time.time(),
        hparam_infos=[
            _api.HParamInfo(
                name=name,
                type=kinds.get(type(value), _api.DATA_TYPE_STRING),
                differs=name in first,
            )
            for name, value in hyperparameters.items()
        ],
        metric_infos=[_api.MetricInfo(name=_api.MetricName(tag=tag)) for tag in metrics],
    )
    return _hparams("experiment", _plugin_data.HParamsPluginData(experiment=about))


def session_start(hyperparameters: Mapping[str, object]) -> Message:
    """The run's row in the hparams table."""
    about = _plugin_data.SessionStartInfo(start_time_secs=time.time())
    for name, value in hyperparameters.items():
        if isinstance(value, bool):
            about.hparams[name].bool_value = value
        elif isinstance(value, (int, float)):
            about.hparams[name].number_value = value
        else:
            about.hparams[name].string_value = visible_text(str(value))
    return _hparams("session_start_info", _plugin_data.HParamsPluginData(session_start_info=about))


def session_end(status: Status) -> Message:
    """How the run ended."""
    good = status in ("completed", "early_stopped", "time_limit", "pruned")
    about = _plugin_data.SessionEndInfo(
        end_time_secs=time.time(),
        status=_api.STATUS_SUCCESS if good else _api.STATUS_FAILURE,
    )
    return _hparams("session_end_info", _plugin_data.HParamsPluginData(session_end_info=about))


def plugin(
    tag: str,
    name: str,
    *,
    tensor: Message,
    content: bytes = b"",
    step: int = 0,
    about: str = "",
    blobs: bool = False,
) -> Message:
    """A value that one of TensorBoard's plugins shows.

    Args:
        tag: what it is called on the page.
        name: of the plugin.
        tensor: the value.
        content: the plugin's own metadata.
        step: of the run.
        about: Markdown behind the i.
        blobs: whether the tensor holds whole files.
    """
    kind = _summaries.DATA_CLASS_BLOB_SEQUENCE if blobs else _summaries.DATA_CLASS_TENSOR
    metadata = _summaries.SummaryMetadata(
        plugin_data=_summaries.SummaryMetadata.PluginData(plugin_name=name, content=content),
        summary_description=about,
        data_class=kind,
    )
    return values([_summaries.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)], step=step)


def values(entries: Sequence[Message], *, step: int) -> Message:
    """An event with these values."""
    return _events.Event(
        wall_time=time.time(), step=step, summary=_summaries.Summary(value=entries)
    )


def _hparams(tag: str, data: Message) -> Message:
    """The data stand in the metadata; the tensor is there for form's sake."""
    empty = _tensors.TensorProto(dtype=_types.DT_FLOAT, tensor_shape=_shape((0,)))
    return plugin(f"_hparams_/{tag}", "hparams", tensor=empty, content=data.SerializeToString())


def _string(data: bytes) -> Message:
    return _tensors.TensorProto(
        dtype=_types.DT_STRING, string_val=[data], tensor_shape=_shapes.TensorShapeProto()
    )


def _chart(title: str, tags: Sequence[str]) -> Message:
    return _layouts.Chart(title=title, multiline=_layouts.MultilineChartContent(tag=tags))


def _chain(plans: Sequence[Plan], source: str) -> tuple[list[Message], str]:
    """The nodes of layers in a row, and the name of the last."""
    nodes: list[Message] = []
    for plan in plans:
        if plan.children:
            inner, source = _block(plan, source)
            nodes += inner
        else:
            nodes.append(_node(plan, plan.name, [source]))
            source = nodes[-1].name
    return nodes, source


def _block(plan: Plan, source: str) -> tuple[list[Message], str]:
    """A residual block: its layers and the way around them meet in a sum."""
    body = [child for child in plan.children if child.kind != "projection"]
    around = [child for child in plan.children if child.kind == "projection"]
    nodes, end = _chain(body, source)
    skips, way = _chain(around, source)
    total = _node(plan, f"{plan.name}.sum", [end, way])
    return [*nodes, *skips, total], total.name


def _node(plan: Plan, name: str, sources: Sequence[str]) -> Message:
    node = _nodes.NodeDef(name=name.replace(".", "/"), op=plan.kind, input=sources)
    node.attr["_output_shapes"].CopyFrom(_output_shapes(plan.output))
    if plan.note:
        node.attr["note"].s = plan.note.encode()
    if plan.flops:
        node.attr["flops"].i = plan.flops
    inner = {key for child in plan.children for key in child.parameters}
    for key, shape in plan.parameters.items():
        if key not in inner:
            node.attr[key.removeprefix(f"{plan.name}.")].shape.CopyFrom(_shape(shape))
    return node


def _output_shapes(shape: Shape) -> Message:
    """With the batch in front, whose size is open."""
    return _attributes.AttrValue(list=_attributes.AttrValue.ListValue(shape=[_shape((-1, *shape))]))


def _shape(sizes: Shape) -> Message:
    return _shapes.TensorShapeProto(dim=[_shapes.TensorShapeProto.Dim(size=size) for size in sizes])
