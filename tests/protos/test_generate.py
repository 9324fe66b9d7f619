from pathlib import Path

from protos.generate import PROTOS, ROOT, generate


def test_regenerating_gives_the_committed_files(tmp_path: Path) -> None:
    """The committed modules and stubs are what protoc makes of the committed .proto files."""
    made = generate(tmp_path)
    assert len(made) == 2 * len(PROTOS)
    for path in made:
        assert path.read_text("utf-8") == (ROOT / path.relative_to(tmp_path)).read_text("utf-8")


def test_every_proto_file_is_generated() -> None:
    """No .proto file lies beside the others without being generated from."""
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "protos").glob("*.proto")} == set(PROTOS)
