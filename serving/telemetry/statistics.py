"""Statistics of models, as Triton tells them: read from the same counts that Prometheus gets."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import Metric
from prometheus_client.samples import Sample

from protos.triton_pb2 import InferBatchStatistics, ModelStatistics, StatisticDuration
from serving.telemetry.course import Stage
from serving.telemetry.metrics import BATCH_ROWS, CALL_SECONDS, LAST_ANSWER, RUN_SECONDS_BY_ROWS, STAGE_SECONDS

# Methods that ask about a model, and run nothing.
_DESCRIBING: Final = {"ModelReady", "ModelMetadata", "ModelConfig", "ModelStatistics", "GetModel"}
_FIELDS: Final = {
    STAGE_SECONDS[Stage.QUEUE]: "queue",
    STAGE_SECONDS[Stage.DECODE]: "compute_input",
    STAGE_SECONDS[Stage.COMPUTE]: "compute_infer",
    STAGE_SECONDS[Stage.ENCODE]: "compute_output",
}


def of(models: Iterable[tuple[str, int]], totals: Iterable[Metric]) -> list[ModelStatistics]:
    """Gives the statistics of models, by name and version.

    Args:
        models: which.
        totals: all that was counted.
    """
    by_model: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in (sample for metric in totals for sample in metric.samples):
        if "model" in sample.labels:
            by_model[sample.labels["model"], sample.labels["version"]].append(sample)
    return [_of(name, str(version), by_model[name, str(version)]) for name, version in models]


def _of(name: str, version: str, samples: list[Sample]) -> ModelStatistics:
    statistics = ModelStatistics(name=name, version=version)
    batches: dict[int, StatisticDuration] = defaultdict(StatisticDuration)
    for sample in samples:
        family, _, kind = sample.name.rpartition("_")
        match family:
            case _ if sample.name == LAST_ANSWER:
                statistics.last_inference = int(sample.value * 1000)
            case _ if family == BATCH_ROWS and kind == "sum":
                statistics.inference_count += int(sample.value)
            case _ if family == BATCH_ROWS and kind == "count":
                statistics.execution_count += int(sample.value)
            case _ if family == RUN_SECONDS_BY_ROWS:
                _add(batches[int(sample.labels["rows"])], kind, sample.value)
            case _:
                for duration in _durations(statistics, family, sample):
                    _add(duration, kind, sample.value)
    statistics.batch_stats.extend(
        InferBatchStatistics(batch_size=rows, compute_infer=duration) for rows, duration in sorted(batches.items())
    )
    return statistics


def _durations(statistics: ModelStatistics, family: str, sample: Sample) -> Iterator[StatisticDuration]:
    """Gives that part of the statistics to which a sample adds, if any."""
    of_all = statistics.inference_stats
    if family in _FIELDS:
        yield getattr(of_all, _FIELDS[family])
    elif family == CALL_SECONDS and sample.labels["method"] not in _DESCRIBING:
        yield of_all.success if sample.labels["code"] == "OK" else of_all.fail


def _add(duration: StatisticDuration, kind: str, value: float) -> None:
    if kind == "count":
        duration.count += int(value)
    elif kind == "sum":
        duration.ns += int(value * 1e9)
