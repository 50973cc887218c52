"""Our signed map against pytorch-grad-cam, set to the same layer and target."""

from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt
import open_clip
import pytest
import torch
from pytorch_grad_cam import GradCAM
from torch import Tensor, nn
from torch.nn import functional

from models.backbone import Backbone
from models.clip import Clip
from models.gradcam import map_grid, margin_maps
from models.packed import packed_blocks
from models.precision import has_bfloat16


class Margin(nn.Module):
    """A classifier of one output, the margin, as pytorch-grad-cam wants it."""

    def __init__(self, clip: Clip, direction: Tensor) -> None:
        super().__init__()
        self.clip = clip
        self.direction = direction

    def forward(self, images: Tensor) -> Tensor:
        features = functional.normalize(self.clip.visual(images), dim=-1)
        return (features @ self.direction)[:, None]  # (B, 1)


class SignedGradCAM(GradCAM):
    """The library's own map before it drops the negative part and rescales."""

    signed: npt.NDArray[np.float32]

    def get_cam_image(self, *arguments: object) -> npt.NDArray[np.float32]:
        self.signed = super().get_cam_image(*arguments)
        return self.signed


def library_maps(clip: Clip, inputs: Tensor, direction: Tensor) -> tuple[Any, Any]:
    """Signed map (B, h, w), and the library's finished one (B, H, W) in [0, 1]."""
    rows, columns = map_grid(clip, inputs)

    def to_grid(tokens: Tensor) -> Tensor:
        patches = tokens[:, 1:].reshape(len(tokens), rows, columns, -1)
        return patches.permute(0, 3, 1, 2)  # (B, W, h, w)

    # A frozen model keeps no gradient at all: the library needs one from the input on.
    wanted = inputs.clone().requires_grad_()
    layer: Any = clip.visual.transformer.resblocks[-1].ln_1
    with SignedGradCAM(Margin(clip, direction), [layer], reshape_transform=to_grid) as cam:
        finished = cam(wanted, [first_output] * len(inputs))
        return cam.signed, finished


def first_output(output: Tensor) -> Tensor:
    return output[0]


def vit_b_16() -> Clip:
    """ViT-B/16 with random weights; the text side is cut short, it is not read."""
    config = open_clip.get_model_config("ViT-B-16-quickgelu")
    assert config is not None
    config["text_cfg"] = {"context_length": 8, "vocab_size": 16, "width": 64, "layers": 1}
    torch.manual_seed(1)
    model: Any = open_clip.CLIP(**config)
    model.eval().requires_grad_(False)
    return model


def small(**vision: object) -> Clip:
    """A small CLIP with random weights whose image encoder is changed as named."""
    config: dict[str, Any] = {
        "embed_dim": 32,
        "quick_gelu": vision.pop("quick_gelu", False),
        "vision_cfg": {"image_size": 64, "patch_size": 16, "width": 128, "layers": 3} | vision,
        "text_cfg": {"context_length": 8, "vocab_size": 16, "width": 64, "layers": 1},
    }
    torch.manual_seed(3)
    model: Any = open_clip.CLIP(**config)
    # LayerNorms and biases begin as nothing: given values, a mistake with them shows.
    for name, value in model.named_parameters():
        if name.endswith("bias") or "ln_" in name or "ls_" in name:
            nn.init.normal_(value, mean=0.5, std=0.5)
    model.eval().requires_grad_(False)
    return model


def some_inputs(model: Clip, count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(count, 3, *model.visual.image_size, generator=generator)
    return inputs, torch.randn(model.visual.proj.shape[1], generator=generator)


@pytest.mark.parametrize("which", ["ViT-B-16", "shipped", "tiny"])
def test_the_map_equals_the_librarys(
    which: str, shipped_backbone: Backbone, tiny: Backbone
) -> None:
    models = {"shipped": shipped_backbone.model, "tiny": tiny.model}
    model = models[which] if which in models else vit_b_16()
    inputs, direction = some_inputs(model, 2)
    ours = margin_maps(model, inputs, direction, packed_blocks(model))
    signed, finished = library_maps(model, inputs, direction)
    scale = np.abs(signed).max()
    assert ours.maps.shape == signed.shape
    assert np.abs(ours.maps.numpy() - signed).max() <= 1e-5 * min(1.0, scale)
    assert (ours.maps > 0).any()
    assert (ours.maps < 0).any()
    # The library's finished map: positive part, enlarged, scaled to [0, 1].
    positive = functional.interpolate(
        ours.maps.clamp(min=0)[:, None], inputs.shape[-2:], mode="bilinear"
    )[:, 0].numpy()
    lowest = positive.min(axis=(1, 2), keepdims=True)
    highest = positive.max(axis=(1, 2), keepdims=True)
    agreement = np.corrcoef(((positive - lowest) / highest).ravel(), finished.ravel())[0, 1]
    assert agreement > 0.999


@pytest.mark.parametrize(
    "vision",
    [
        {"quick_gelu": True},
        {"quick_gelu": False},
        {"quick_gelu": False, "act_kwargs": {"approximate": "tanh"}},
        {"image_size": (48, 80)},
        {"image_size": 70},  # not a multiple of the patch: the rest is not seen
        {"patch_size": 32},
        {"ls_init_value": 0.1},
        {"final_ln_after_pool": True},
        {"no_ln_pre": True},
        {"head_width": 16},
        {"layers": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("count", [1, 3])
def test_every_kind_of_tower_that_is_served_equals_the_library(
    vision: dict[str, object], count: int
) -> None:
    model = small(**vision)
    inputs, direction = some_inputs(model, count)
    signed, _ = library_maps(model, inputs, direction)
    plain = model.encode_image(inputs, normalize=True) @ direction
    for first in (None, packed_blocks(model)):
        ours = margin_maps(model, inputs, direction, first)
        assert np.abs(ours.maps.numpy() - signed).max() <= 1e-5 * min(1.0, np.abs(signed).max())
        assert torch.allclose(ours.margins, plain, atol=1e-5)


@pytest.mark.skipif(not has_bfloat16("cpu"), reason="this processor has no bfloat16 units")
def test_packed_blocks_in_bfloat16_say_what_the_models_own_say(tiny: Backbone) -> None:
    model = deepcopy(tiny.model).to(torch.bfloat16)
    inputs, direction = some_inputs(model, 3)
    own, packed = (
        margin_maps(model, inputs, direction, one) for one in (None, packed_blocks(model))
    )
    exact = margin_maps(tiny.model, inputs, direction)
    # As far from each other as each is from single precision.
    assert (own.margins - packed.margins).abs().max() < 0.05 * exact.margins.abs().max()
    assert np.corrcoef(own.maps.ravel(), packed.maps.ravel())[0, 1] > 0.99


def test_without_onednn_the_models_own_blocks_are_used(
    tiny: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    blocks = list(tiny.model.visual.transformer.resblocks[:-1])
    assert packed_blocks(tiny.model) == blocks


def test_swapping_the_classes_changes_the_sign_only(tiny: Backbone) -> None:
    inputs, direction = some_inputs(tiny.model, 3)
    there, back = (margin_maps(tiny.model, inputs, way) for way in (direction, -direction))
    assert torch.allclose(there.maps, -back.maps, atol=1e-7)
    assert torch.allclose(there.margins, -back.margins, atol=1e-7)


def test_the_margin_is_the_plain_encoders(tiny: Backbone) -> None:
    inputs, direction = some_inputs(tiny.model, 3)
    plain = tiny.model.encode_image(inputs, normalize=True) @ direction
    assert torch.allclose(margin_maps(tiny.model, inputs, direction).margins, plain, atol=1e-5)


def test_a_map_does_not_depend_on_the_rest_of_the_batch(tiny: Backbone) -> None:
    inputs, direction = some_inputs(tiny.model, 3)
    together = margin_maps(tiny.model, inputs, direction).maps
    alone = torch.cat([margin_maps(tiny.model, one[None], direction).maps for one in inputs])
    assert torch.allclose(together, alone, atol=1e-6)


def test_the_last_blocks_output_would_give_nothing(tiny: Backbone) -> None:
    # Why the target is ln_1: after the last block only the class token is read.
    inputs, direction = some_inputs(tiny.model, 1)
    seen: list[Tensor] = []
    visual: Any = tiny.model.visual

    def keep(_: object, __: object, output: Tensor) -> Tensor:
        seen.append(output.detach().requires_grad_())
        return seen[0]

    handle = visual.transformer.resblocks[-1].register_forward_hook(keep)
    margin = (functional.normalize(visual(inputs), dim=-1) @ direction).sum()
    handle.remove()
    (gradient,) = torch.autograd.grad(margin, seen[0])
    assert gradient[:, 1:].abs().max() == 0
