"""Made pictures of one colour, with captions that say which: enough for a net to learn from in seconds."""

from pathlib import Path
from typing import Final

from PIL import Image

COLOURS: Final = {"red": (200, 30, 30), "green": (30, 180, 40), "blue": (40, 60, 210), "white": (240, 240, 240)}
_COUNTS: Final = {"train": 16, "dev": 4, "test": 4}


def write(folder: Path) -> Path:
    """Writes such pictures in the form of Flickr8k; gives the folder."""
    pictures = folder / "Flicker8k_Dataset"
    pictures.mkdir(parents=True)
    lines: list[str] = []
    for split, count in _COUNTS.items():
        names: list[str] = []
        for number in range(count):
            colour = list(COLOURS)[number % len(COLOURS)]
            names.append(f"{split}_{number}.jpg")
            Image.new("RGB", (48, 40), COLOURS[colour]).save(pictures / names[-1])
            lines += [f"{names[-1]}#0\tA {colour} wall .", f"{names[-1]}#1\tThe picture is all {colour} ."]
        (folder / f"Flickr_8k.{split}Images.txt").write_text("\n".join(names) + "\n", "utf-8")
    (folder / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return folder
