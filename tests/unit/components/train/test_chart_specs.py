"""Which charts a run has."""

from __future__ import annotations

from components.train import chart_specs


def test_a_run_has_the_charts_it_measures():
    sft = [
        chart.title
        for chart in chart_specs.charts_for({"loss", "mean_token_accuracy", "grad_norm"})
    ]
    assert sft == ["Loss", "Token accuracy", "Gradient norm"]
    dpo = chart_specs.charts_for(
        {
            "loss",
            "rewards/margins",
            "rewards/chosen",
            "rewards/rejected",
            "logps/chosen",
            "mean_token_accuracy",
        }
    )
    small = {chart.title: chart.small for chart in dpo}
    assert not small["Rewards"] and not small["Reward margin"] and small["Token accuracy"]


def test_a_measurement_nobody_foresaw_gets_a_chart_too():
    charts = chart_specs.charts_for({"loss", "aux_loss"})
    assert [(chart.title, chart.small) for chart in charts] == [("Loss", False), ("Aux loss", True)]


def test_each_part_of_a_reward_is_drawn_and_its_spread_is_not():
    parts = {"reward", "reward_std", "rewards/length/mean", "rewards/length/std", "step_time"}
    titles = [chart.title for chart in chart_specs.charts_for(parts | {"clip_ratio/low_min"})]
    assert titles == ["Reward", "Reward, length"]


def test_the_plan_names_the_held_out_series():
    [loss] = chart_specs.plan({"loss"})
    assert loss["lines"][0]["held"] == "eval_loss"
