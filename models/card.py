"""The model card of the demonstration model, and what every model's card has.

Headings after Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

import textwrap
from pathlib import Path
from typing import Any

_TEMPLATE = """\
# Model card: {name}

**Demonstration only. This model has never seen a patient. It learned from drawings that a
program made, and must not be used to judge anybody's skin.**

## What it is
A small CLIP (vision transformer, {layers} layers of width {width}, patches of 16 pixels on
{size}; {parameters}) with a learned prompt (CoOp, {tokens} context vectors). It gives the
probability that a picture shows basal cell carcinoma rather than seborrheic keratosis, and a
signed Grad-CAM of {rows} x {columns} fields.

## Intended use
Trying the software and its tests without other weights. Not for diagnosis, not for research
on readers, not as a measure of what CLIP can do.

## Training data
Generated pictures only: {pretraining_images} pairs of picture and caption for the backbone
(generator version {pretraining_generator}), {train_images} further pictures for the prompt
(version {generator}). The signs, their frequencies and the overlap
of the two diagnoses are settings of the generator, not measurements on patients. Its author
looked at 32 clinical photographs (16 of each diagnosis) to draw plausibly; the model was given
none.

## Training
{stages}
Prompt: {coop_epochs} epochs on cached features, {prompt_seconds} s. The backbone is stored in half
precision and computes in single precision.

## Measured on held-out generated pictures
n = {n}, drawn from a seed used for nothing else; 95% intervals by DeLong. On other generated
pictures the model meets the same generator: these figures say nothing about real skin.

| on the same image features | AUC | 95% interval |
|---|---|---|
{areas}

At the threshold of {threshold}: sensitivity {sensitivity:.2f}, specificity {specificity:.2f}.
Probabilities are a softmax over the two similarities, at one scale fitted on
{validation_images} generated validation pictures (temperature calibration).
{faithfulness}{photographs}
{heat_map}
## Files
- backbone.safetensors: SHA-256 `{backbone_sha256}`
- prompt.safetensors: SHA-256 `{prompt_sha256}`
- probe.safetensors: SHA-256 `{probe_sha256}`
"""

_HEAT_MAP = """\
## The heat-map
Orange speaks for carcinoma, blue for keratosis; full strength is {map_scale} in Grad-CAM's own
unit on every case (99th percentile over training pictures; only comparisons have a meaning).
The map has {rows} x {columns} fields and knows nothing finer. It shows what moved this model,
not where the lesion is.
"""
_NAMES = {"zero_shot": "zero-shot", "coop": "CoOp (this model)", "linear_probe": "linear probe"}


def paragraph(text: str) -> str:
    """One paragraph, wrapped, with an empty line before it."""
    return "\n" + textwrap.fill(" ".join(text.split()), 96) + "\n"


def area_rows(areas: dict[str, Any]) -> str:
    """Give one row of a table for each scoring: name, area, 95% interval."""
    return "\n".join(
        f"| {_NAMES[name]} | {number(area['estimate'])} | {interval(area)} |"
        for name, area in areas.items()
    )


def number(value: float | None) -> str:
    """Give a share with three decimals, or that there is none."""
    return "not defined" if value is None else f"{value:.3f}"


def interval(measured: dict[str, Any]) -> str:
    """Give the 95% interval of a measured share, or that there is none."""
    if measured["low"] is None:
        return "not defined"
    return f"{measured['low']:.3f}-{measured['high']:.3f}"


def heat_map_section(model: dict[str, Any]) -> str:
    """Say what the map's colours mean and how coarse it is."""
    rows, columns = model["map_grid"]
    return _HEAT_MAP.format(map_scale=model["map_scale"], rows=rows, columns=columns)


def _pretrainings(backbone: dict[str, Any]) -> list[dict[str, Any]]:
    """Every pre-training behind a backbone, the first one first."""
    found: list[dict[str, Any]] = [backbone["pretraining"]]
    while found[0].get("started_from"):
        found.insert(0, found[0]["started_from"]["pretraining"])
    return found


def _stage(number: int, run: dict[str, Any]) -> str:
    """Say what one pre-training did, and for how long."""
    after = run["resumed_after_epochs"]
    resumed = f" (interrupted after {after}; the time is of the rest)" if after else ""
    cores = run["threads"] * run.get("processes", 1)
    phrases = (
        """, and each picture against short phrases for its diagnosis, signs, border and colour,
        true or not (sigmoid loss, Zhai et al. 2023)"""
        if run.get("phrases")
        else ""
    )
    return f"""{"Then" if number else "Backbone"}: {run["epochs"]} epochs of contrastive
        learning on {run["images"]:,} pictures and captions{phrases}{resumed},
        {run["training_seconds"] / 60:.0f} minutes on
        {"one CPU core" if cores == 1 else f"{cores} CPU cores"}."""


def _faithfulness(measured: dict[str, Any] | None) -> str:
    if measured is None:
        return ""
    return paragraph(
        f"""Heat-maps on {measured["n"]} of these pictures: the strongest field lies on the lesion
        in {measured["pointing"]:.0%} (the picture's centre does in
        {measured["pointing_centre"]:.0%}); {measured["energy_outside"]:.0%} of the map's strength
        lies outside the lesion, where an even map would have
        {1 - measured["lesion_share"]:.0%}: do not read it as an outline of the lesion. Blanking
        fields from the strongest on lowers the model's own answer to a mean of
        {measured["deletion"]:.2f} (random order: {measured["deletion_random"]:.2f}); restoring
        them in that order gives {measured["insertion"]:.2f} (random:
        {measured["insertion_random"]:.2f})."""
    )


def _photographs(measured: dict[str, Any] | None) -> str:
    if measured is None:
        return ""
    return paragraph(
        f"""On {measured["n"]} real smartphone photographs ({measured["source"]}) its AUC is
        {measured["estimate"]:.2f} ({measured["low"]:.2f}-{measured["high"]:.2f}, images taken as
        independent). **That does not make it usable:** at its threshold it has a sensitivity of
        {measured["sensitivity"]:.2f} and a specificity of {measured["specificity"]:.2f}, and a
        single colour, how much redder the middle is than the whole picture, reaches
        {measured["redness_area"]:.2f} without any model. {measured["note"]}"""
    )


def write_card(folder: Path, model: dict[str, Any], backbone: dict[str, Any]) -> None:
    """Write CARD.md of a model folder from its two records."""
    (folder / "CARD.md").write_text(card_of(folder, model, backbone), encoding="utf-8")


def card_of(folder: Path, model: dict[str, Any], backbone: dict[str, Any]) -> str:
    """Word the card of a model folder from its two records and the size of its weights."""
    vision = backbone["architecture"]["config"]["vision_cfg"]
    areas = model["test"]["areas"]
    pretrainings = _pretrainings(backbone)
    rows, columns = model["map_grid"]
    weights = folder / backbone["weights"]["file"]
    return _TEMPLATE.format(
        name=model["name"],
        layers=vision["layers"],
        width=vision["width"],
        size=vision["image_size"],
        parameters=f"{weights.stat().st_size / 1e6:.1f} MB",
        tokens=model["training"]["coop"]["context_tokens"],
        rows=rows,
        columns=columns,
        pretraining_images=f"{sum(run['images'] for run in pretrainings):,}",
        pretraining_generator=backbone["pretraining"]["generator"],
        generator=model["training"]["generator"],
        train_images=f"{model['training']['train_images']:,}",
        validation_images=model["training"]["validation_images"],
        stages=paragraph(
            " ".join(_stage(*numbered) for numbered in enumerate(pretrainings))
        ).strip(),
        coop_epochs=model["training"]["coop"]["epochs"],
        prompt_seconds=model["training"]["prompt_seconds"],
        n=areas["coop"]["n"],
        areas=area_rows(areas),
        threshold=model["threshold"],
        sensitivity=model["test"]["sensitivity"],
        specificity=model["test"]["specificity"],
        heat_map=heat_map_section(model),
        backbone_sha256=backbone["weights"]["sha256"],
        prompt_sha256=model["prompt_sha256"],
        probe_sha256=model["probe_sha256"],
        faithfulness=_faithfulness(model["test"].get("faithfulness")),
        photographs=_photographs(model["test"].get("photographs")),
    )
