"""`data make`: rows that models write (Self-Instruct)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from studio.commands.base import Json, OnProgress, Param, command, silent
from studio.commands.generate import Seed
from studio.commands.prompts import PromptFile, Prompts, collect_prompts

if TYPE_CHECKING:
    from studio.engine.studio import Studio

Named = "base:MODEL, run:RUN or api:MODEL"


@command()
def data_make(
    studio: Studio,
    *,
    writer: Annotated[str, Param(f"Model that writes instructions: {Named}.")] = "base:pocket",
    answer: Annotated[
        list[str] | None,
        Param(f"Model that answers, {Named}; twice: chosen and rejected. Default: the writer."),
    ] = None,
    prompts: PromptFile = None,
    prompt: Prompts = None,
    document: Annotated[
        list[Path] | None, Param("A document to ask about; repeatable.", metavar="FILE")
    ] = None,
    topic: Annotated[str, Param("What the instructions are about.")] = "",
    count: Annotated[int, Param("Rows to make.", min=1, max=100_000)] = 50,
    judge: Annotated[str, Param(f"Model that scores every answer from 1 to 10: {Named}.")] = "",
    min_score: Annotated[float, Param("Drop answers below this score.", min=0, max=10)] = 0.0,
    continues: Annotated[
        bool, Param("The writer continues a list of tasks; for models that follow no instructions.")
    ] = False,
    temperature: Annotated[float, Param("Temperature of the writer.", min=0, max=5)] = 0.9,
    answer_tokens: Annotated[int, Param("Longest answer in tokens.", min=1, max=8192)] = 256,
    seed: Seed = 42,
    name: Annotated[str, Param("Name of the dataset.")] = "made",
    resume: Annotated[
        str | None, Param("Go on with a making that was stopped, by id; nothing else is read.")
    ] = None,
    on_progress: OnProgress = silent,
) -> Json:
    """Let models write a dataset from seed tasks, documents or a topic (Self-Instruct).

    Every new instruction is under ROUGE-L 0.7 to all before it, and what is dropped is counted by
    reason. Ctrl-C keeps what was made, for --resume. prompts and prompt are the seed tasks.
    """
    from studio.workflows import self_instruct

    if resume is not None:
        making = self_instruct.resume(studio, resume)
    else:
        seeds = collect_prompts(prompts, prompt, None) if prompts or prompt else []
        plan = self_instruct.MakePlan(
            writer=writer,
            answerers=tuple(answer or (writer,)),
            seeds=tuple(str(messages[-1]["content"]) for messages in seeds if messages),
            documents=self_instruct.document_chunks(document or []),
            topic=topic,
            count=count,
            judge=judge,
            min_score=min_score,
            continues=continues,
            temperature=temperature,
            answer_tokens=answer_tokens,
            seed=seed,
            name=name,
        )
        making = self_instruct.begin(studio, plan)
    on_progress(making.state.kept, making.plan.count, f"{making.id}: loading the model")
    made = making.run(on_progress)
    state = making.state
    return {
        "id": made.id,
        "name": made.name,
        "type": made.type,
        "rows": made.rows,
        "making": making.id,
        "proposed": state.proposed,
        "kept": state.kept,
        "dropped": state.dropped,
        "unread_scores": state.unread_scores,
        "summary": state.sentence(),
    }


@command(read_only=True)
def data_unfinished(studio: Studio) -> list[Json]:
    """List what `data make` began and did not finish, newest first."""
    from studio.workflows import self_instruct

    return self_instruct.unfinished(studio)
