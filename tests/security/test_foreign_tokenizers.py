"""Templates and tokenizers from elsewhere: what does not end is refused, and nothing else waits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.calculator.dataset_lengths import local_tokenizer
from studio.core import children, tokenizer_check
from studio.core.chat_templates import with_chat_template
from studio.core.errors import ModelError
from studio.core.jobs import Job
from studio.core.model_names import ModelRef, resolve
from studio.engine.studio import Studio
from studio.generation.request import Column, GenerationRequest, Sampling
from studio.models.loading import load_tokenizer

LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
Make = Callable[..., Path]


def split(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


LLAMA3 = split(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
ENDLESS = {"strategy": {"Fixed": 4_000_000_000}, "direction": "Right", "pad_id": 0}
ENDLESS |= {"pad_to_multiple_of": None, "pad_type_id": 0, "pad_token": "a"}
GROWS = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 1000}


@pytest.fixture(autouse=True)
def limits(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer_check, "SECONDS", 1)
    monkeypatch.setattr(tokenizer_check, "MEMORY", 256 << 20)
    monkeypatch.setattr(tokenizer_check, "_refused", {})


@pytest.fixture
def theirs(tmp_path: Path) -> Make:
    """`theirs(template, key=value)`: the pocket model with another template and tokenizer."""

    def make(template: str | None = None, **parts: Any) -> Path:
        folder = tmp_path / "theirs"
        shutil.copytree(resolve("pocket").location, folder, dirs_exist_ok=True)
        if template is not None:
            (folder / "chat_template.jinja").write_text(template)
        values = json.loads((folder / "tokenizer.json").read_text()) | parts
        (folder / "tokenizer.json").write_text(json.dumps(values))
        return folder

    return make


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (LOOPS, "longer than 1 seconds"),
        ("{{ 'A' * 3000000000 }}", "more than 256 MB"),
        ("{{ 'A' * 3000000 }}", "writes 3,000,000 characters"),
        ("{% if messages|length > 30 %}" + LOOPS + "{% endif %}", "longer than"),
    ],
)
def test_a_template_that_does_not_end_is_refused(theirs: Make, template: str, said: str) -> None:
    folder = theirs(template)
    with pytest.raises(ModelError, match=said):
        load_tokenizer(ModelRef("them/model", "folder", str(folder)))


@pytest.mark.parametrize(
    "parts",
    [
        {"pre_tokenizer": split("(x+x+)+y")},
        {"pre_tokenizer": split("q+q+q+z")},
        {"pre_tokenizer": split("(foo|f|oo)+y")},
        {"padding": ENDLESS},
        {"normalizer": {"type": "Sequence", "normalizers": [GROWS] * 6}},
    ],
)
def test_a_tokenizer_that_does_not_end_is_refused(theirs: Make, parts: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"them/model is not used"):
        load_tokenizer(ModelRef("them/model", "folder", str(theirs(**parts))))


def test_a_template_is_found_wherever_transformers_finds_it(theirs: Make) -> None:
    folder = theirs()
    (folder / "chat_template.jinja").unlink()
    config = json.loads((folder / "tokenizer_config.json").read_text())
    listed = [{"name": "default", "template": "a"}, {"name": "tool_use", "template": "b"}]
    for own, found in (("x", ["x"]), (listed, ["a", "b"]), ({"default": "c"}, ["c"]), (5, [])):
        values = json.dumps(config | {"chat_template": own})
        (folder / "tokenizer_config.json").write_text(values)
        assert tokenizer_check.templates_of(folder) == found
    more = folder / "additional_chat_templates"
    more.mkdir()
    (more / "rag.jinja").write_text("d")
    assert tokenizer_check.templates_of(folder) == ["d"]


def test_what_passed_is_remembered_by_what_is_in_it(
    theirs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []

    def run(program: Path, given: Any, *rest: Any) -> children.Ended:
        started.append(given)
        return children.Ended(json.dumps({"why": ""}).encode(), 0, False)

    monkeypatch.setattr(children, "run", run)
    tokenizer_check.check(Path(resolve("pocket").location), "pocket's files need no trial")
    assert started == []
    folder = theirs("{{ messages[0].content }}", pre_tokenizer=LLAMA3)
    for _ in range(3):
        tokenizer_check.check(folder, "them/model")
    assert len(started) == 1
    tokenizer_check.check(theirs("{{ messages[0]['content'] }}"), "them/model")
    assert len(started) == 2


def test_a_template_file_of_a_recipe_is_tried(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(resolve("pocket"))
    file = tmp_path / "own.jinja"
    file.write_text(LOOPS)
    with pytest.raises(ModelError, match=r"own\.jinja is not used"):
        with_chat_template(tokenizer, str(file))
    file.write_text("{{ messages[0].content }}")
    assert with_chat_template(tokenizer, str(file)).chat_template == "{{ messages[0].content }}"


def test_the_calculator_reads_no_tokenizer_that_does_not_end(theirs: Make) -> None:
    assert local_tokenizer(str(theirs(pre_tokenizer=split("(x+x+)+y")))) is None


def test_patterns_that_are_in_use_pass(theirs: Make) -> None:
    found = load_tokenizer(ModelRef("m", "folder", str(theirs(pre_tokenizer=LLAMA3))))
    assert found("Hello")["input_ids"]


@pytest.mark.slow
def test_the_worker_answers_others_meanwhile_and_after(theirs: Make, tmp_path: Path) -> None:
    studio = Studio(tmp_path / "home")
    try:
        for folder in (str(theirs(LOOPS)), "pocket"):
            columns = (Column(folder),)
            sampling = Sampling(max_new_tokens=2)
            job = studio.generate(GenerationRequest(("Hi",), columns, sampling))
            if folder == "pocket":
                assert job.result().answers[0][0].error is None
            else:
                assert "is not used" in (job.result().answers[0][0].error or "")
    finally:
        studio.close()


def test_a_panic_reaches_whoever_waits_as_a_sentence() -> None:
    class PanicException(BaseException):
        """As PyO3's, which no handler catches."""

    def work() -> None:
        raise PanicException("retry-limit-in-match over")

    job: Job[None] = Job()
    job.run(work)
    with pytest.raises(ModelError, match="PanicException: retry-limit"):
        job.result()
