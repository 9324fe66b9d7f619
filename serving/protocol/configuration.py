"""The configuration of a model in Triton's words: derived from its graph, its plan and the queue, not from a file."""

from collections.abc import Sequence
from typing import Final

from hondo.artifact import MODEL
from protos.model_config_pb2 import (
    ModelConfig,
    ModelDynamicBatching,
    ModelInput,
    ModelInstanceGroup,
    ModelOutput,
    ModelQueuePolicy,
    ModelSequenceBatching,
    ModelTransactionPolicy,
    ModelVersionPolicy,
)
from serving.batching.batcher import Queueing
from serving.batching.queue import Priority
from serving.catalog.model import Model
from serving.protocol.sequences import Sequences
from serving.runtime.datatypes import BYTES
from serving.runtime.session import Session, Signature

PLATFORM: Final = "onnxruntime_onnx"  # as Triton calls it
_BACKEND: Final = "onnxruntime"


def of(model: Model) -> ModelConfig:
    """Gives the configuration of a model of one graph."""
    plan = model.plans[MODEL]
    shares_runs = plan.sizes is not None
    config = _of(model.name, plan.session, plan.session.inputs, plan.session.outputs, has_batch=shares_runs)
    # On the event loop, runs are one after another.
    config.instance_group[0].count = plan.instances or 1
    if plan.sizes is not None:
        config.max_batch_size = model.settings.max_batch_size
        config.dynamic_batching.CopyFrom(_batching(plan.sizes.sizes, model.settings.queueing))
    return config


def of_sequences(name: str, sequences: Sequences) -> ModelConfig:
    """Gives the configuration of a model whose state is kept between requests."""
    config = _of(name, sequences.session, sequences.inputs, sequences.outputs, has_batch=True)
    config.max_batch_size = 1
    config.sequence_batching.max_sequence_idle_microseconds = int(sequences.idle_s * 1e6)
    config.sequence_batching.oldest.max_candidate_sequences = sequences.most
    for part in sequences.states:
        dims = part.input.wire_shape[1:]
        zero = ModelSequenceBatching.InitialState(
            name="zero", data_type=_data_type(part.input), dims=dims, zero_data=True
        )
        config.sequence_batching.state.add(
            input_name=part.input.name,
            output_name=part.output.name,
            data_type=_data_type(part.input),
            dims=dims,
            initial_state=[zero],
        )
    return config


def _of(
    name: str, session: Session, inputs: Sequence[Signature], outputs: Sequence[Signature], *, has_batch: bool
) -> ModelConfig:
    is_on_gpu = session.device.is_cuda
    first = 1 if has_batch else 0  # the batch is not among Triton's dims
    kind = ModelInstanceGroup.KIND_GPU if is_on_gpu else ModelInstanceGroup.KIND_CPU
    return ModelConfig(
        name=name,
        platform=PLATFORM,
        backend=_BACKEND,
        version_policy=ModelVersionPolicy(all=ModelVersionPolicy.All()),
        default_model_filename=session.path.name,
        instance_group=[
            ModelInstanceGroup(name=f"{name}_0", kind=kind, count=1, gpus=[session.device.number] if is_on_gpu else [])
        ],
        model_transaction_policy=ModelTransactionPolicy(decoupled=False),
        input=[ModelInput(name=each.name, data_type=_data_type(each), dims=each.wire_shape[first:]) for each in inputs],
        output=[
            ModelOutput(name=each.name, data_type=_data_type(each), dims=each.wire_shape[first:]) for each in outputs
        ],
    )


def _data_type(signature: Signature) -> str:
    """Gives the name of a DataType."""
    return "TYPE_STRING" if signature.datatype is BYTES else f"TYPE_{signature.datatype.name}"


def _batching(sizes: Sequence[int], queueing: Queueing) -> ModelDynamicBatching:
    return ModelDynamicBatching(
        preferred_batch_size=sizes,
        max_queue_delay_microseconds=int((queueing.max_wait_ms or 0) * 1000),
        priority_levels=len(Priority),
        # Triton's levels begin at 1.
        default_priority_level=Priority.NORMAL + 1,
        default_queue_policy=ModelQueuePolicy(
            timeout_action=ModelQueuePolicy.REJECT,
            default_timeout_microseconds=int((queueing.timeout_ms or 0) * 1000),
            allow_timeout_override=True,
            max_queue_size=queueing.max_rows,
        ),
    )
