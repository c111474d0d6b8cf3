"""From conditionings of every form to one vector."""

import pytest
import torch
from cotj.predictor import pool

TOKENS = torch.arange(24.0).reshape(2, 4, 3)


def test_the_mean_over_tokens():
    embedding, pooling = pool(TOKENS.to(torch.float16), pooled=torch.ones(2, 9))
    assert pooling == "token mean"
    assert embedding.dtype == torch.float32
    torch.testing.assert_close(embedding, TOKENS.mean(1))


@pytest.mark.parametrize("dtype", [torch.long, torch.bool, torch.float32])
def test_a_mask_leaves_padding_out(dtype):
    embedding, _ = pool(TOKENS, torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0]]).to(dtype))
    torch.testing.assert_close(embedding, torch.stack((TOKENS[0, :2].mean(0), TOKENS[1, 0])))


def test_a_shorter_mask_is_that_of_the_last_tokens():
    embedding, _ = pool(TOKENS[:1], torch.tensor([[1, 0]]))
    torch.testing.assert_close(embedding, TOKENS[:1, :3].mean(1))


def test_the_pooled_output_where_there_are_no_tokens():
    embedding, pooling = pool(None, pooled=torch.ones(1, 9, dtype=torch.bfloat16))
    assert (embedding.shape, embedding.dtype, pooling) == ((1, 9), torch.float32, "pooled output")


def test_nothing_to_pool_and_a_mask_that_does_not_fit_are_errors():
    with pytest.raises(ValueError, match="neither tokens nor"):
        pool(None)
    with pytest.raises(ValueError, match="5 tokens"):
        pool(TOKENS, torch.ones(2, 5))
