"""How the shell shows `labels`."""

from __future__ import annotations

from studio.cli.register import View
from studio.cli.terminal import columns, counted, one_line, percent, table
from studio.commands.base import Json


def _created(made: Json) -> str:
    aside = counted(made["set_aside"], "set aside")
    return f"{made['project']}: {made['added']:,} pairs to label{aside}"


def _pair(shown: Json | None) -> str:
    if shown is None:
        return "No pair is left."
    question = shown["prompt"][-1]["content"] if shown["prompt"] else ""
    return f"{shown['item']}: {question}\n\nleft   {shown['left']}\n\nright  {shown['right']}"


def _exported(made: Json) -> str:
    test = f", {made['test_file']}: {made['test']:,} rows" if made["test_file"] else ""
    aside = counted(made["left_out"], "left out")
    return f"{made['file']}: {made['train']:,} rows{test}{aside}"


def _imported(made: Json) -> str:
    counts = f"{made['pairs']:,} pairs, {made['votes']:,} votes of {len(made['raters'])} raters"
    rates = [
        f"{each['model']} over {each['baseline']}: {_share(each['win_rate'])}, "
        f"length-controlled {_share(each['length_controlled'])}"
        for each in made["rates"]
    ]
    return "\n".join([f"{made['project']}: {counts}", *rates])


# ---- results -------------------------------------------------------------------------------------


def _results(found: Json) -> str:
    report, agreed = found["report"], found["report"]["agreement"]
    alpha = "" if agreed["alpha"] is None else f", alpha {agreed['alpha']:.3f}"
    ladder = [
        [each["name"], f"{each['strength']:+.2f} [{each['low']:+.2f}, {each['high']:+.2f}]"]
        for each in found["strengths"]
    ]
    strengths = [table(ladder, ("model", "Bradley-Terry strength"))] if ladder else []
    strengths += [found["no_strengths"]] if not ladder and found["no_strengths"] else []
    lines = [
        _duels(found["results"]) if found["results"] else "No votes yet.",
        *(["", *strengths] if strengths else []),
        "",
        f"{agreed['unanimous']:,} of {agreed['shared']:,} shared pairs unanimous, "
        f"agreement {percent(agreed['raw'])}{alpha}",
        f"left chosen {percent(report['left']['share'])} of {report['left']['count']:,}, "
        f"longer {percent(report['longer']['share'])} of {report['longer']['count']:,}",
    ]
    return "\n".join(lines)


def _duels(found: list[Json]) -> str:
    """A line per duel: counts, win rates with their 95 % intervals, and the votes still needed."""
    heads = "duel, won, ties, lost, both bad, of decided, half ties, same length, sign test"
    rows = [
        [
            f"{each['a']} or {each['b']}",
            each["wins"],
            each["ties"],
            each["losses"],
            each["both_bad"],
            _share({**each, "value": each["decisive_rate"]}),
            _share(each["half_win"]),
            _share(each["length_controlled"]),
            f"{each['p_value']:.2g}",
            each["further"],
        ]
        for each in found
    ]
    return table(rows, [*heads.split(", "), "pairs needed"])


def _share(figure: Json | None) -> str | None:
    if figure is None or figure["value"] is None:
        return None
    return f"{percent(figure['value'])} [{percent(figure['low'])}, {percent(figure['high'])}]"


def _judged(found: Json) -> str:
    return "\n".join([_duels(found["duels"]), "", *map(_judge_line, found["duels"])])


def _judge_line(duel: Json) -> str:
    first = duel["first"]
    unread = f", {duel['unread']:,} replies not readable" if duel["unread"] else ""
    return (
        f"{duel['judge']}: {duel['pairs']:,} pairs judged in both orders, "
        f"{percent(duel['flips']['value'])} changed with the order (ties), "
        f"first answer chosen {percent(first['value'])} over {first['count']:,} pairs{unread}"
    )


def _panel(found: Json) -> str:
    rows = [
        [
            one["judge"],
            _share(one["people"]),
            one["people"]["count"],
            _alpha(one["alpha"]),
            one["unread"],
            "yes" if one["may_label"] else f"no: {one['why']}",
        ]
        for one in found["each"]
    ]
    heads = ["judge", "as people", "pairs", "alpha", "not readable", "may label alone"]
    among = _alpha(found["judges"])
    return table(rows, heads) + (f"\namong the judges: alpha {among}" if among else "")


def _alpha(one: Json | None) -> str | None:
    return f"{one['value']:.2f} [{one['low']:.2f}, {one['high']:.2f}]" if one else None


def _prelabeled(found: Json) -> str:
    lines = [
        _panel(found["agreement"]),
        f"{found['accepted']:,} of {found['pairs']:,} pairs labeled ({percent(found['share'])})",
    ]
    if found["dataset"]:
        lines.append(f"dataset {found['dataset']['name']} ({found['dataset']['id']})")
    if found["unsure"]:
        lines.append(f"{found['unsure']['pairs']:,} pairs to check in {found['unsure']['project']}")
    return "\n".join(lines)


def _ranked(found: list[Json]) -> str:
    rows = [
        [
            one["item"],
            f"{one['disagreement']:.2f}",
            f"{one['gap']:+.2f}",
            one["votes"],
            one_line(one["prompt"])[:60],
        ]
        for one in found
    ]
    return table(rows, ["item", "disagreement", "margin", "votes", "prompt"])


def _rounds(found: list[Json]) -> str:
    rows = [
        [line["start_name"], each["round"], each["run"], each["votes"].get("votes"), *_met(duel)]
        for line in found
        for each in line["rounds"]
        for duel in each["duels"] or [None]
    ]
    heads = ("start", "round", "run", "votes", "duel", "judged", "won, ties as half")
    return table(rows, heads) if rows else "No run has learned from votes yet."


def _met(duel: Json | None) -> list[object]:
    if duel is None:
        return [None, None, None]
    share = duel["share"]
    return [duel["project"], duel["judged"], percent(share["value"]) if share else None]


VIEWS = {
    "labels_list": View(columns("project_id", "project", "judged", "pairs"), ""),
    "labels_create": View(_created, "--dataset pairs --name first"),
    "labels_show": View(_pair, "--project first --item 1"),
    "labels_next": View(_pair, "--project first"),
    "labels_vote": View("Vote {vote} is saved.", "--project first --item 1 --choice left"),
    "labels_undo": View("Pair {item} is to be labeled again.", "--project first"),
    "labels_remove": View("Pair {item} is removed.", "--project first --item 1"),
    "labels_feedback": View("{name}: {good} good and {bad} bad answers for KTO", "--name traffic"),
    "labels_export": View(
        _exported,
        "--project first --format dpo --out labels.jsonl",
        "--project first --format label-studio --out tasks.json",
    ),
    "labels_import": View(_imported, "testset-v1.json --name pandalm"),
    "labels_results": View(_results, "--project first"),
    "labels_panel": View(_panel, "--project first --judge api:served-model --judge base:pocket"),
    "labels_prelabel": View(_prelabeled, "--project first --judge api:served-model"),
    "labels_judge": View(_judged, "--project first --judge api:served-model"),
    "labels_rank": View(_ranked, "--run pocket-reward --project first"),
    "labels_rounds": View(_rounds, ""),
}
