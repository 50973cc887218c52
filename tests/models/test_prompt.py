"""The prompt cut to its real length says what the whole one says, and CoOp learns."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from models.backbone import Backbone
from models.coop import CoopConfig, Epoch, learning_rate, train_prompt
from models.errors import PromptTooLongError
from models.prompt import Prompt, encode_prompts, name_features, starting_context

NAMES = ("basal cell carcinoma", "seborrheic keratosis")


@pytest.fixture(params=["tiny", "shipped_backbone"])
def any_backbone(request: pytest.FixtureRequest) -> Backbone:
    return request.getfixturevalue(request.param)


def uncut(prompt: Prompt, backbone: Backbone) -> torch.Tensor:
    """Embeddings padded to the full context, as CoOp published them. (C, N, W)."""
    identifiers = backbone.tokenizer(prompt.class_names)  # (C, N)
    embedded = backbone.model.token_embedding(identifiers)  # (C, N, W)
    shared = prompt.context.expand(len(embedded), -1, -1)
    places = backbone.model.context_length - 1 - len(prompt.context)
    return torch.cat([embedded[:, :1], shared, embedded[:, 1 : 1 + places]], dim=1)


@pytest.mark.parametrize(
    ("precision", "limit"),
    # In single precision the sums of two lengths are rounded differently: a unit feature's last
    # digit is worth 6e-8, and a few layers add up to more than 1e-7.
    [(torch.float64, 1e-12), (torch.float32, 1e-6)],
)
def test_the_cut_prompt_equals_the_uncut_one(
    any_backbone: Backbone, precision: torch.dtype, limit: float
) -> None:
    backbone = replace(any_backbone, model=deepcopy(any_backbone.model).to(precision))
    context = starting_context(any_backbone, 16, 0.02, 3).to(precision)
    prompt = Prompt(backbone, NAMES, context)
    whole = uncut(prompt, backbone)
    assert prompt.embeddings().shape[1] < whole.shape[1]
    expected = encode_prompts(backbone.model, whole, prompt.ends)
    assert prompt().dtype == precision
    assert (prompt() - expected).abs().max() <= limit
    (slope,) = torch.autograd.grad((prompt()[0] - prompt()[1]).sum(), prompt.context)
    (full,) = torch.autograd.grad((expected[0] - expected[1]).sum(), prompt.context)
    assert (slope - full).abs().max() <= 10 * limit


def test_without_context_the_prompt_is_the_plain_text(any_backbone: Backbone) -> None:
    width = any_backbone.model.token_embedding.weight.shape[1]
    prompt = Prompt(any_backbone, NAMES, torch.zeros(0, width))
    assert torch.allclose(prompt(), name_features(any_backbone, NAMES), atol=1e-6)


def test_a_prompt_that_does_not_fit_is_refused(tiny: Backbone) -> None:
    with pytest.raises(PromptTooLongError, match="40"):
        Prompt(tiny, NAMES, starting_context(tiny, 36, 0.02, 3))


def test_the_schedule_warms_up_for_one_epoch_and_then_follows_a_cosine() -> None:
    config = CoopConfig()
    rates = [learning_rate(config, epoch) for epoch in range(config.epochs)]
    assert rates[0] == pytest.approx(1e-5)
    assert rates[1] == pytest.approx(0.002, rel=1e-3)
    assert rates[50] == pytest.approx(0.001)
    assert rates[1:] == sorted(rates[1:], reverse=True)


def test_training_learns_the_context_only_and_repeats_exactly(tiny: Backbone) -> None:
    names = name_features(tiny, NAMES)  # (2, D)
    labels = torch.arange(64) % 2
    noise = torch.randn(2, 64, names.shape[1], generator=torch.Generator().manual_seed(0))
    views = functional.normalize(names[labels] + 0.3 * noise / names.shape[1] ** 0.5, dim=-1)
    before = {name: value.clone() for name, value in tiny.model.state_dict().items()}
    epochs: list[Epoch] = []
    config = CoopConfig(epochs=8, learning_rate=0.2)
    first = train_prompt(tiny, NAMES, views, labels, config, report=epochs.append)
    second = train_prompt(tiny, NAMES, views, labels, config)
    assert epochs[-1].loss < epochs[0].loss
    assert torch.equal(first.context, second.context)
    assert [name for name, _ in first.named_parameters()] == ["context"]
    after = tiny.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
