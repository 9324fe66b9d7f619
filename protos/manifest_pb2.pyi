from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Manifest(_message.Message):
    __slots__ = ("name", "version", "summary", "graphs", "golden", "weights", "classification", "edge_detection", "text_generation", "captioning", "image_filter", "provenance", "scores", "precision")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    GRAPHS_FIELD_NUMBER: _ClassVar[int]
    GOLDEN_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    CLASSIFICATION_FIELD_NUMBER: _ClassVar[int]
    EDGE_DETECTION_FIELD_NUMBER: _ClassVar[int]
    TEXT_GENERATION_FIELD_NUMBER: _ClassVar[int]
    CAPTIONING_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FILTER_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    summary: str
    graphs: _containers.RepeatedCompositeFieldContainer[Graph]
    golden: File
    weights: File
    classification: Classification
    edge_detection: EdgeDetection
    text_generation: TextGeneration
    captioning: Captioning
    image_filter: ImageFilter
    provenance: Provenance
    scores: _containers.RepeatedCompositeFieldContainer[Score]
    precision: Precision
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., summary: _Optional[str] = ..., graphs: _Optional[_Iterable[_Union[Graph, _Mapping]]] = ..., golden: _Optional[_Union[File, _Mapping]] = ..., weights: _Optional[_Union[File, _Mapping]] = ..., classification: _Optional[_Union[Classification, _Mapping]] = ..., edge_detection: _Optional[_Union[EdgeDetection, _Mapping]] = ..., text_generation: _Optional[_Union[TextGeneration, _Mapping]] = ..., captioning: _Optional[_Union[Captioning, _Mapping]] = ..., image_filter: _Optional[_Union[ImageFilter, _Mapping]] = ..., provenance: _Optional[_Union[Provenance, _Mapping]] = ..., scores: _Optional[_Iterable[_Union[Score, _Mapping]]] = ..., precision: _Optional[_Union[Precision, _Mapping]] = ...) -> None: ...

class Graph(_message.Message):
    __slots__ = ("role", "file")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    role: str
    file: File
    def __init__(self, role: _Optional[str] = ..., file: _Optional[_Union[File, _Mapping]] = ...) -> None: ...

class File(_message.Message):
    __slots__ = ("path", "sha256")
    PATH_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    path: str
    sha256: str
    def __init__(self, path: _Optional[str] = ..., sha256: _Optional[str] = ...) -> None: ...

class Classification(_message.Message):
    __slots__ = ("image", "text", "table", "labels")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    image: ImageInput
    text: TextInput
    table: TableInput
    labels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, image: _Optional[_Union[ImageInput, _Mapping]] = ..., text: _Optional[_Union[TextInput, _Mapping]] = ..., table: _Optional[_Union[TableInput, _Mapping]] = ..., labels: _Optional[_Iterable[str]] = ...) -> None: ...

class EdgeDetection(_message.Message):
    __slots__ = ("channels", "reach_px", "step_px")
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    REACH_PX_FIELD_NUMBER: _ClassVar[int]
    STEP_PX_FIELD_NUMBER: _ClassVar[int]
    channels: int
    reach_px: int
    step_px: int
    def __init__(self, channels: _Optional[int] = ..., reach_px: _Optional[int] = ..., step_px: _Optional[int] = ...) -> None: ...

class ImageFilter(_message.Message):
    __slots__ = ("channels",)
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    channels: int
    def __init__(self, channels: _Optional[int] = ...) -> None: ...

class TextGeneration(_message.Message):
    __slots__ = ("vocabulary", "start")
    VOCABULARY_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    vocabulary: _containers.RepeatedScalarFieldContainer[str]
    start: int
    def __init__(self, vocabulary: _Optional[_Iterable[str]] = ..., start: _Optional[int] = ...) -> None: ...

class Captioning(_message.Message):
    __slots__ = ("image", "vocabulary", "end", "start", "unknown", "max_words", "grid_height", "grid_width", "length_penalty")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    VOCABULARY_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    MAX_WORDS_FIELD_NUMBER: _ClassVar[int]
    GRID_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    GRID_WIDTH_FIELD_NUMBER: _ClassVar[int]
    LENGTH_PENALTY_FIELD_NUMBER: _ClassVar[int]
    image: ImageInput
    vocabulary: _containers.RepeatedScalarFieldContainer[str]
    end: int
    start: int
    unknown: int
    max_words: int
    grid_height: int
    grid_width: int
    length_penalty: float
    def __init__(self, image: _Optional[_Union[ImageInput, _Mapping]] = ..., vocabulary: _Optional[_Iterable[str]] = ..., end: _Optional[int] = ..., start: _Optional[int] = ..., unknown: _Optional[int] = ..., max_words: _Optional[int] = ..., grid_height: _Optional[int] = ..., grid_width: _Optional[int] = ..., length_penalty: _Optional[float] = ...) -> None: ...

class TextInput(_message.Message):
    __slots__ = ("tokenizer", "vocabulary", "length")
    class Tokenizer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        TOKENIZER_UNSPECIFIED: _ClassVar[TextInput.Tokenizer]
        KIM: _ClassVar[TextInput.Tokenizer]
    TOKENIZER_UNSPECIFIED: TextInput.Tokenizer
    KIM: TextInput.Tokenizer
    TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    VOCABULARY_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    tokenizer: TextInput.Tokenizer
    vocabulary: _containers.RepeatedScalarFieldContainer[str]
    length: int
    def __init__(self, tokenizer: _Optional[_Union[TextInput.Tokenizer, str]] = ..., vocabulary: _Optional[_Iterable[str]] = ..., length: _Optional[int] = ...) -> None: ...

class TableInput(_message.Message):
    __slots__ = ("columns",)
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    columns: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, columns: _Optional[_Iterable[str]] = ...) -> None: ...

class ImageInput(_message.Message):
    __slots__ = ("height", "width", "channels", "resize", "filter", "shorter_side")
    class Resize(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        RESIZE_UNSPECIFIED: _ClassVar[ImageInput.Resize]
        STRETCH: _ClassVar[ImageInput.Resize]
        CENTER_CROP: _ClassVar[ImageInput.Resize]
    RESIZE_UNSPECIFIED: ImageInput.Resize
    STRETCH: ImageInput.Resize
    CENTER_CROP: ImageInput.Resize
    class Filter(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FILTER_UNSPECIFIED: _ClassVar[ImageInput.Filter]
        NEAREST: _ClassVar[ImageInput.Filter]
        BILINEAR: _ClassVar[ImageInput.Filter]
        BICUBIC: _ClassVar[ImageInput.Filter]
        LANCZOS: _ClassVar[ImageInput.Filter]
    FILTER_UNSPECIFIED: ImageInput.Filter
    NEAREST: ImageInput.Filter
    BILINEAR: ImageInput.Filter
    BICUBIC: ImageInput.Filter
    LANCZOS: ImageInput.Filter
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    RESIZE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    SHORTER_SIDE_FIELD_NUMBER: _ClassVar[int]
    height: int
    width: int
    channels: int
    resize: ImageInput.Resize
    filter: ImageInput.Filter
    shorter_side: int
    def __init__(self, height: _Optional[int] = ..., width: _Optional[int] = ..., channels: _Optional[int] = ..., resize: _Optional[_Union[ImageInput.Resize, str]] = ..., filter: _Optional[_Union[ImageInput.Filter, str]] = ..., shorter_side: _Optional[int] = ...) -> None: ...

class Precision(_message.Message):
    __slots__ = ("name", "full", "lowered", "speed_ratio", "batch", "machine")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FULL_FIELD_NUMBER: _ClassVar[int]
    LOWERED_FIELD_NUMBER: _ClassVar[int]
    SPEED_RATIO_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    name: str
    full: Score
    lowered: Score
    speed_ratio: float
    batch: int
    machine: str
    def __init__(self, name: _Optional[str] = ..., full: _Optional[_Union[Score, _Mapping]] = ..., lowered: _Optional[_Union[Score, _Mapping]] = ..., speed_ratio: _Optional[float] = ..., batch: _Optional[int] = ..., machine: _Optional[str] = ...) -> None: ...

class Provenance(_message.Message):
    __slots__ = ("recipe", "source", "data", "seed", "library_versions", "git_commit", "created_at", "parameters", "weights")
    class LibraryVersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    LIBRARY_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    GIT_COMMIT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    recipe: str
    source: str
    data: _containers.RepeatedCompositeFieldContainer[DataSource]
    seed: int
    library_versions: _containers.ScalarMap[str, str]
    git_commit: str
    created_at: str
    parameters: int
    weights: Weights
    def __init__(self, recipe: _Optional[str] = ..., source: _Optional[str] = ..., data: _Optional[_Iterable[_Union[DataSource, _Mapping]]] = ..., seed: _Optional[int] = ..., library_versions: _Optional[_Mapping[str, str]] = ..., git_commit: _Optional[str] = ..., created_at: _Optional[str] = ..., parameters: _Optional[int] = ..., weights: _Optional[_Union[Weights, _Mapping]] = ...) -> None: ...

class Weights(_message.Message):
    __slots__ = ("origin", "terms", "file", "sha256")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    origin: str
    terms: str
    file: str
    sha256: str
    def __init__(self, origin: _Optional[str] = ..., terms: _Optional[str] = ..., file: _Optional[str] = ..., sha256: _Optional[str] = ...) -> None: ...

class DataSource(_message.Message):
    __slots__ = ("name", "origin", "terms", "sha256")
    class Sha256Entry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    origin: str
    terms: str
    sha256: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., origin: _Optional[str] = ..., terms: _Optional[str] = ..., sha256: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Score(_message.Message):
    __slots__ = ("metric", "value", "unit", "data", "samples")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    metric: str
    value: float
    unit: str
    data: str
    samples: int
    def __init__(self, metric: _Optional[str] = ..., value: _Optional[float] = ..., unit: _Optional[str] = ..., data: _Optional[str] = ..., samples: _Optional[int] = ...) -> None: ...
