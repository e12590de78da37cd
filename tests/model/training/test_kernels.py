"""Libraries' kernels are used where they are, and refused with what is missing where they are not."""

from __future__ import annotations

import pytest
import torch

from model.config.engine import EngineConfig
from model.training.kernels import attention_missing, liger_missing, use_kernels
from tests.model.scene import policy


def test_eager_and_sdpa_are_everywhere_and_give_the_same_logits():
    model = policy()
    before = model.config.get_text_config()._attn_implementation
    ids = torch.tensor([[10, 11, 12, 13]])
    found = []
    for name in ("sdpa", "eager"):
        use_kernels(model, attention=name, liger=False)
        assert model.config.get_text_config()._attn_implementation == name
        with torch.no_grad():
            found.append(model(input_ids=ids).logits)
    use_kernels(model, attention=before, liger=False)
    assert torch.allclose(*found, atol=1e-4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what is missing where there is no GPU")
def test_what_needs_a_gpu_says_so_before_training_begins():
    assert "needs a GPU" in attention_missing("flash_attention_2")
    assert liger_missing()
    with pytest.raises(ValueError, match=r"flash_attention_2.*take 'sdpa'"):
        use_kernels(policy(), attention="flash_attention_2", liger=False)
    with pytest.raises(ValueError, match="leave `liger` off"):
        use_kernels(policy(), attention="sdpa", liger=True)


def test_an_attention_that_no_library_has_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="unknown attention 'flash'; known: sdpa, eager"):
        EngineConfig(attention="flash")
