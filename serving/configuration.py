"""The configuration of a model in Triton's words: derived from its graph, its plan and the queue, not from a file."""

from collections.abc import Sequence
from typing import Final

from protos.model_config_pb2 import (
    ModelConfig,
    ModelDynamicBatching,
    ModelInput,
    ModelInstanceGroup,
    ModelOutput,
    ModelQueuePolicy,
    ModelTransactionPolicy,
    ModelVersionPolicy,
)
from serving.batcher import Queueing
from serving.datatypes import BYTES
from serving.device import Device
from serving.plan import Plan
from serving.queue import Priority
from serving.session import Signature

PLATFORM: Final = "onnxruntime_onnx"  # as Triton calls it
_BACKEND: Final = "onnxruntime"


def of(name: str, plan: Plan, queueing: Queueing) -> ModelConfig:
    """Gives the configuration of a model of one graph."""
    session = plan.session
    shares_runs = plan.sizes is not None
    is_on_gpu = session.device is Device.CUDA
    config = ModelConfig(
        name=name,
        platform=PLATFORM,
        backend=_BACKEND,
        version_policy=ModelVersionPolicy(all=ModelVersionPolicy.All()),
        max_batch_size=plan.max_batch_size if shares_runs else 0,
        default_model_filename=session.path.name,
        instance_group=[
            ModelInstanceGroup(
                name=f"{name}_0",
                kind=ModelInstanceGroup.KIND_GPU if is_on_gpu else ModelInstanceGroup.KIND_CPU,
                # On the event loop, runs are one after another.
                count=plan.instances or 1,
                gpus=[0] if is_on_gpu else [],
            )
        ],
        model_transaction_policy=ModelTransactionPolicy(decoupled=False),
    )
    first = 1 if shares_runs else 0  # the batch is not among Triton's dims
    config.input.extend(
        ModelInput(name=each.name, data_type=_data_type(each), dims=each.wire_shape[first:]) for each in session.inputs
    )
    config.output.extend(
        ModelOutput(name=each.name, data_type=_data_type(each), dims=each.wire_shape[first:])
        for each in session.outputs
    )
    if plan.sizes is not None:
        config.dynamic_batching.CopyFrom(_batching(plan.sizes.sizes, queueing))
    return config


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
