"""The novelty filter equals a plain ROUGE-L comparison of all prompts."""

import random

from studio.data.checks.rouge_novelty import repeated
from studio.metrics.rouge import rouge_l
from tests.unit.data.making import said


def naive(words, other):
    table = [[0] * (len(other) + 1) for _ in range(len(words) + 1)]
    for i, one in enumerate(words):
        for j, two in enumerate(other):
            table[i + 1][j + 1] = (
                table[i][j] + 1 if one == two else max(table[i][j + 1], table[i + 1][j])
            )
    return 2 * table[-1][-1] / max(1, len(words) + len(other))


def test_novelty_is_rouge_l_against_every_prompt_kept_before():
    chance = random.Random(4)
    texts = [said(chance, chance.randint(1, 9)) for _ in range(250)]
    found = repeated([{"prompt": text} for text in texts], 0.7)
    kept, expected = [], []
    for text in texts:
        words = text.split()
        assert all(rouge_l(words, other) == naive(words, other) for other in kept[:5])
        again = any(naive(words, other) >= 0.7 for other in kept)
        expected.append(again)
        if not again:
            kept.append(words)
    assert found.tolist() == expected
    assert 20 < sum(expected) < 230
