"""A version of a model, while it takes calls."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hondo.artifact import Tensors
from serving.catalog.model import Model
from serving.catalog.place import Place
from serving.decode.graphs import Graphs
from serving.decode.plan import Plan as DecodePlan
from serving.runtime.plan import Plan
from serving.runtime.session import Session
from serving.runtime.sizes import Sizes
from serving.settings import ModelSettings
from serving.telemetry.metrics import Metrics
from tests.serving import captioners

PICTURE = captioners.picture(1)


def model(folder: Path, *, is_captioner: bool) -> Model:
    """Gives one that has "encode" twice: as `encode.onnx`, and for a run on all cores as `wide.onnx`."""
    sessions = captioners.open_sessions(folder)
    wide = Session.open(captioners.encode(folder / "wide.onnx"), threads=1)
    plan = Plan(sessions["encode"], Sizes((1, 2), (1.0, 1.1)), 1, alone=wide)
    decoding = DecodePlan(Graphs.of_captioner(sessions), (1, 2), ()) if is_captioner else None
    return Model(Place(folder, "teller", 1), ModelSettings(), {"encode": plan}, None, decode_plan=decoding)


@pytest.mark.parametrize("is_captioner", [True, False])
async def test_one_caption_alone_has_all_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_captioner: bool
) -> None:
    """A lone picture is looked at on all cores; of several captions none is, as the others' words need them too."""
    opened, ran = model(tmp_path, is_captioner=is_captioner), []
    run = Session.run

    def noted(session: Session, *given: Any) -> Tensors:
        ran.append(session.path.stem)
        return run(session, *given)

    monkeypatch.setattr(Session, "run", noted)
    opened.open(Metrics())
    try:
        with opened.used():
            await opened.batcher("encode").run({"image": PICTURE[np.newaxis]}, ["features"])
            with opened.used():
                await opened.batcher("encode").run({"image": PICTURE[np.newaxis]}, ["features"])
    finally:
        await asyncio.to_thread(opened.close)
    assert ran == ["wide", "encode" if is_captioner else "wide"]
