"""OpenAI's own client on the running app: models, answers whole and streamed, thumbs."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from studio import Studio
from studio.runs.recipe import Recipe
from tests.serving import Server

openai = pytest.importorskip("openai")
OWNER, VISITOR = "an-owner-key-of-ada", "a-visitor-key-of-ben"
ASKED = [{"role": "user", "content": "Which animal does Petra have?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a place",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}


@pytest.fixture(scope="module")
def served(start_server: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> Server:
    """An app with one finished run, and two keys: an owner's and a visitor's of three answers."""
    home: Path = tmp_path_factory.mktemp("served")
    studio = Studio(home)
    recipe = Recipe.defaults("sft", dataset_name="pocket-sft", name="tuned", max_steps=2,
                             sample_steps=0, per_device_train_batch_size=2)  # fmt: skip
    run = studio.wait(studio.train(recipe).id)
    assert run.state == "finished", run.error
    small = {"max_steps": 1, "per_device_train_batch_size": 4, "max_length": 32}
    finder = Recipe.defaults("embedding", dataset_name="pocket-preference", name="finder",
                             query_prompt="query: ", **small)  # fmt: skip
    run = studio.wait(studio.train(finder).id)
    assert run.state == "finished", run.error
    studio.close()
    return start_server(
        home, STUDIO_SERVE_KEYS=f"ada:{OWNER},ben:{VISITOR}", STUDIO_VISITOR_ANSWERS="3"
    )


@pytest.fixture(scope="module")
def client(served: Server) -> Any:
    return openai.OpenAI(base_url=f"{served.url}v1", api_key=OWNER, max_retries=0, timeout=120)


def chat(client: Any, model: str, **more: Any) -> Any:
    settings = {"temperature": 0, "max_tokens": 24, "messages": ASKED, **more}
    return client.chat.completions.create(model=model, **settings)


def test_base_and_run_are_listed_and_answer(client: Any) -> None:
    assert {"pocket", "tuned"} <= {model.id for model in client.models.list()}
    found = chat(client, "pocket")
    choice = found.choices[0]
    assert choice.message.content and choice.finish_reason in ("stop", "length")
    assert found.usage.prompt_tokens > 5 and found.usage.completion_tokens > 0
    cut = chat(client, "pocket", max_tokens=2)
    assert cut.choices[0].finish_reason == "length" and cut.usage.completion_tokens == 2
    again = chat(client, "pocket", temperature=1.0, seed=7).choices[0].message.content
    assert again == chat(client, "pocket", temperature=1.0, seed=7).choices[0].message.content


def test_two_models_stream_at_once_and_say_what_they_say_alone(client: Any) -> None:
    streamed: dict[str, list[Any]] = {}

    def read(model: str) -> None:
        events = chat(client, model, stream=True, stream_options={"include_usage": True})
        streamed[model] = list(events)

    readers = [threading.Thread(target=read, args=(model,)) for model in ("pocket", "tuned")]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(120)
    for model, events in streamed.items():
        pieces = [event.choices[0].delta.content or "" for event in events if event.choices]
        assert "".join(pieces) == chat(client, model).choices[0].message.content
        assert events[-2].choices[0].finish_reason and events[-1].usage.completion_tokens > 0


def test_logprobs_are_of_every_token(client: Any) -> None:
    found = chat(client, "tuned", logprobs=True, top_logprobs=2)
    tokens = found.choices[0].logprobs.content
    assert len(tokens) == found.usage.completion_tokens
    said = found.choices[0].message.content
    assert "".join(token.token for token in tokens).strip() == said.strip()
    for token in tokens:  # greedy: each is the likeliest in its place
        assert len(token.top_logprobs) == 2
        assert token.logprob == pytest.approx(token.top_logprobs[0].logprob, abs=1e-3)


def test_tools_are_taken_and_stop_strings_end_an_answer(client: Any) -> None:
    found = chat(client, "pocket", tools=[WEATHER]).choices[0]
    assert found.finish_reason in ("stop", "length", "tool_calls")
    whole = chat(client, "pocket").choices[0].message.content
    word = whole.split()[1]
    assert word not in chat(client, "pocket", stop=[f" {word}"]).choices[0].message.content


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"model": "no-such"}, 404, "There is no model 'no-such'"),
        ({"temperature": 9}, 400, "temperature"),
        ({"n": 2}, 400, "n:"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "text only"),
        ({"messages": [{"role": "root", "content": "x"}]}, 400, "role"),
        ({"stop": ["x" * 100]}, 400, "stop strings"),
    ],
)
def test_what_cannot_be_is_said(
    client: Any, changes: dict[str, Any], status: int, said: str
) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(**{"model": "pocket", "messages": ASKED, **changes})
    assert refused.value.status_code == status and said in str(refused.value)


def test_thumbs_become_rows_and_two_answers_a_pair_to_label(served: Server, client: Any) -> None:
    first = chat(client, "pocket", temperature=1.5, seed=1)
    second = chat(client, "pocket", temperature=1.5, seed=2)
    post = httpx.Client(base_url=served.url, headers={"authorization": f"Bearer {OWNER}"}).post
    assert post("v1/feedback", json={"id": first.id, "rating": "up"}).json()["kept"]
    assert post("v1/feedback", json={"id": first.id, "rating": "down"}).json()["kept"]
    streamed = next(iter(list(chat(client, "tuned", stream=True)))).id
    assert post("v1/feedback", json={"id": streamed, "rating": "up"}).json()["kept"]
    assert post("v1/feedback", json={"id": first.id, "rating": "down"}).json()["kept"]
    pair = post("v1/feedback", json={"pair": [first.id, second.id]}).json()
    assert pair["project"] == "Answers over the API" and pair["added"] + pair["set_aside"] == 1
    lines = (Path(served.home) / "feedback.jsonl").read_text().splitlines()
    row = json.loads(lines[-1])
    assert row["label"] is False and row["prompt"] == ASKED and row["by"] == "ada"
    other = httpx.post(
        f"{served.url}v1/feedback",
        json={"id": first.id, "rating": "up"},
        headers={"authorization": f"Bearer {VISITOR}"},
    )
    assert other.status_code == 404


def test_an_embedding_run_gives_vectors(client: Any) -> None:
    assert "finder" in {model.id for model in client.models.list()}
    create = client.embeddings.create
    found = create(model="finder", input=["Who is Ida?", "Where?"])  # in base64, as it asks
    assert len(found.data) == 2 and len(found.data[0].embedding) == 256
    assert found.usage.prompt_tokens > 4
    plain = create(model="finder", input="Who is Ida?", encoding_format="float").data[0].embedding
    assert plain == pytest.approx(found.data[0].embedding, abs=1e-5)
    asked = create(model="finder", input="Who is Ida?", extra_body={"input_type": "query"})
    assert asked.data[0].embedding != pytest.approx(plain, abs=1e-4)
    assert len(create(model="finder", input="Who?", dimensions=16).data[0].embedding) == 16
    with pytest.raises(openai.NotFoundError, match="no embedding model"):
        create(model="tuned", input="Who?")
    with pytest.raises(openai.BadRequestError, match="cannot be cut out"):
        create(model="finder", input="Who?", dimensions=999)
    with pytest.raises(openai.BadRequestError):
        create(model="finder", input=[])


TASK = """task: pears
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["Question:"], max_gen_toks: 16, do_sample: false}
num_fewshot: 0
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
filter_list:
  - name: flexible-extract
    filter:
      - {function: regex, group_select: -1, regex_pattern: "(-?[0-9]+)"}
      - {function: take_first}
"""


HARNESS = """
import json, sys
import lm_eval
from lm_eval.tasks import TaskManager
tasks = TaskManager(include_path=".", include_defaults=False)
asked = {"model": "tuned", "base_url": sys.argv[1], "max_retries": 1, "num_concurrent": 2}
found = lm_eval.simple_evaluate("local-chat-completions", asked, ["pears"], task_manager=tasks,
                                apply_chat_template=True, bootstrap_iters=0)
answers = [one["resps"][0][0] for one in found["samples"]["pears"]]
print(json.dumps([found["results"]["pears"], answers]))
"""


@pytest.mark.skipif(not os.environ.get("STUDIO_LM_EVAL"), reason="STUDIO_LM_EVAL is not set")
def test_lm_evals_own_client_asks_the_endpoint(served: Server, tmp_path: Path) -> None:
    (tmp_path / "pears.yaml").write_text(TASK)
    row = {"question": "Ida has 2 pears and buys 3. How many?", "answer": "2 + 3 = 5\n#### 5"}
    (tmp_path / "rows.jsonl").write_text("\n".join([json.dumps(row)] * 2))
    program = [os.environ["STUDIO_LM_EVAL"], "-c", HARNESS, f"{served.url}v1/chat/completions"]
    environ = os.environ | {"OPENAI_API_KEY": OWNER}
    done = subprocess.run(
        program, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    figures, answers = json.loads(done.stdout.splitlines()[-1])
    assert "exact_match,flexible-extract" in figures
    assert len(answers) == 2 and all(answers) and answers[0] == answers[1]


def test_a_visitor_has_the_pages_allowance(served: Server) -> None:
    ben = openai.OpenAI(base_url=f"{served.url}v1", api_key=VISITOR, max_retries=0, timeout=120)
    other = [{"role": "user", "content": "What do you sell?"}]  # in no pair that is still open
    with pytest.raises(openai.RateLimitError, match="at most 512 new tokens"):
        chat(ben, "pocket", max_tokens=2000, messages=other)
    for _ in range(3):
        chat(ben, "pocket", max_tokens=2, messages=other)
    with pytest.raises(openai.RateLimitError, match="3 answers per hour"):
        chat(ben, "pocket", max_tokens=2, messages=other)
