"""What of an answer is differentiated."""

from __future__ import annotations

import torch

from studio.attribution.question import log_odds


def test_the_gradient_of_an_answer_is_that_of_its_log_odds():
    logits = torch.tensor([0.3, -1.0, 2.0], requires_grad=True)
    odds = torch.nn.functional.logsigmoid(logits)
    (wanted,) = torch.autograd.grad((odds - torch.log1p(-odds.exp())).sum(), logits)
    odds = torch.nn.functional.logsigmoid(logits)
    (found,) = torch.autograd.grad(log_odds(odds).sum(), logits)
    torch.testing.assert_close(found, wanted)


def test_a_certain_token_counts_a_hundred_times_at_most():
    logps = torch.tensor([-1e-9, 0.0], requires_grad=True)
    (found,) = torch.autograd.grad(log_odds(logps).sum(), logps)
    torch.testing.assert_close(found, torch.full((2,), 100.0))
