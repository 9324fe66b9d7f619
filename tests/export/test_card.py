from export import card
from export.candidate import of_run
from export.manifest import describe
from protos.manifest_pb2 import ImageInput
from training.run import Run

PARITY = {1: 0.0, 2: 6e-8, 7: 1.2e-7, 32: 9e-8}


def test_the_card_tells_what_a_user_needs(run: Run) -> None:
    """What it does, what goes in and comes out, how good it is, on what data, under what terms, and how to ask it."""
    page = card.text(describe(of_run(run), "forms", 3), of_run(run), PARITY)
    for fact in (
        "# forms\n\nNames the shape in a picture.",
        "8 pixels high and 6 wide, grey: each side is scaled by itself (bilinear)",
        "`image` UINT8[N,8,6,1]",
        "`probabilities` FP32[N,3]",
        "circle, square, triangle",
        "| error | 12.5 % | shapes test | 64 |",
        "**shapes**, from drawn here. Terms: CC0 1.0",
        "Nobody 1999, section II",
        "Seed 7",
        '"epochs": 3',
        "On 42 samples that the training never saw, in batches of 1, 2, 7, 32",
        "at most 1.2e-07",
        "hondo classify --model forms ",
    ):
        assert fact in page


def test_the_card_tells_of_a_centre_crop(run: Run) -> None:
    """A model that cuts out the centre says so, with the size before the cut."""
    crop = describe(of_run(run), "forms", 3)
    crop.classification.image.MergeFrom(
        ImageInput(resize=ImageInput.CENTER_CROP, filter=ImageInput.BICUBIC, shorter_side=9, channels=3)
    )
    assert "RGB: its shorter side is scaled to 9 pixels, then the centre is cut out (bicubic)" in card.text(
        crop, of_run(run), PARITY
    )


def test_a_bar_in_a_text_breaks_no_table(run: Run) -> None:
    """A cell that holds Markdown's column mark stays one cell."""
    bar = describe(of_run(run), "forms", 3)
    bar.scores[0].metric = "a|b"
    assert r"| a\|b | 12.5 % |" in card.text(bar, of_run(run), PARITY)


def test_a_model_without_scores_says_so(run: Run) -> None:
    """No table of scores is shown where none were measured."""
    bare = describe(of_run(run), "forms", 3)
    del bare.scores[:]
    assert "None were measured." in card.text(bare, of_run(run), PARITY)
