"""The card of a model trained by `reread train`, written from its records alone.

Headings after Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

from typing import Any

from models.card import area_rows, heat_map_section, interval, number, paragraph

_PARTS = {"train": "training", "validation": "validation", "test": "test"}


def model_card(model: dict[str, Any], backbone: dict[str, Any]) -> str:
    """Write the card from model.json and backbone.json."""
    return "".join(
        (
            f"# Model card: {model['name']}\n",
            _warning(model),
            "\n## Model details\n",
            _details(model, backbone),
            "\n## Intended use\n",
            paragraph(
                """Reader studies in research: a second opinion that dermatologists see after their
                own call is locked. It tells basal cell carcinoma from seborrheic keratosis and
                knows no third diagnosis: it gives a probability for any picture whatever."""
            ),
            paragraph("Not validated for diagnosis. **Not a medical device.**"),
            "\n## Factors\n",
            _factors(model["data"]),
            "\n## Training data\n",
            _training_data(model),
            "\n## Evaluation data and metrics\n",
            _metrics(model),
            "\n## Quantitative analyses\n",
            _analyses(model),
            "\n",
            heat_map_section(model),
            "\n## Ethical considerations\n",
            paragraph(
                """training-images.csv holds the names and hashes of the photographs, and the
                SHA-256 of each patient's id without salt: whoever can guess an id can test
                whether it is there. Keep this folder as you keep the table of cases."""
            ),
            "\n## Caveats and recommendations\n",
            _caveats(model),
            "\n## Files\n",
            _files(model, backbone),
        )
    )


def _warning(model: dict[str, Any]) -> str:
    if model["demonstration"]:
        return paragraph(
            """**Demonstration only. Every image it learned from is generated: this model has never
            seen a patient, and must not be used to judge anybody's skin.**"""
        )
    return paragraph(
        """**Trained for research on the photographs described here. Not validated for diagnosis;
        not a medical device.**"""
    )


def _details(model: dict[str, Any], backbone: dict[str, Any]) -> str:
    coop, code = model["training"]["coop"], model["code"]
    commit = f", commit {code['commit']}" if code["commit"] else ""
    changed = " with changes that are not committed" if code["changed_since"] else ""
    weights = backbone["weights"]
    source = f"open_clip's tag {weights['pretrained']}" if weights["pretrained"] else "a file"
    shipped = (
        "the small CLIP that comes with reread, which learned from generated pictures only"
        if model["training"]["backbone_shipped"]
        else f"weights from {source}"
    )
    preset = f" Preset: {model['training']['preset']}." if model["training"]["preset"] else ""
    mean, std = backbone["normalisation"]["mean"], backbone["normalisation"]["std"]
    whose = {"clip": "the backbone's own", "data": "the training photographs' own"}
    return paragraph(
        f"""CLIP {backbone["architecture"]["name"]} ({shipped}; activation
        {backbone["activation"]}), frozen, with a learned prompt (CoOp, Zhou et al. 2022):
        {coop["context_tokens"]} context vectors before each class name, SGD at
        {coop["learning_rate"]:g}, momentum {coop["momentum"]:g}, weight decay
        {coop["weight_decay"]:g}, {coop["epochs"]} epochs in batches of {coop["batch_size"]},
        cosine schedule after {coop["warm_up_epochs"]} warm-up epoch at
        {coop["warm_up_learning_rate"]:g}. {model["training"]["views"]} augmented views of each
        image (random crop, rotation, flip, colour), taken in turn. Normalisation:
        {whose[model["training"]["normalisation"]]} (mean {mean}, deviation {std}). Seed
        {model["training"]["seed"]}.{preset} Made by reread {code["version"]}{commit}{changed}."""
    )


def _factors(data: dict[str, Any]) -> str:
    ages = data["ages"]
    aged = (
        f"{ages['youngest']:.0f} to {ages['oldest']:.0f} years, median {ages['median']:.0f} "
        f"(known for {ages['n']} images)"
        if ages
        else "not said"
    )
    return paragraph(
        f"""All {sum(part["images"] for part in data["parts"].values())} images. Sex:
        {_listed(data["sexes"])}. Age: {aged}. Skin type (Fitzpatrick):
        {_listed(data["skin_types"])}. Modality: {_listed(data["modalities"])}. Diagnosis made
        by, for BCC: {_listed(data["diagnosis_sources"]["BCC"])}; for SK:
        {_listed(data["diagnosis_sources"]["SK"])}. For people, cameras and clinics that are rare or
        missing here nothing was measured."""
    )


def _listed(tally: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in tally.items())


def _training_data(model: dict[str, Any]) -> str:
    data = model["data"]
    rows = "\n".join(
        f"| {_PARTS[name]} | {part['images']} | {part['patients']} | {part['BCC']} | {part['SK']} |"
        for name, part in data["parts"].items()
    )
    table = "\n| part | images | patients | BCC | SK |\n|---|---|---|---|---|\n" + rows + "\n"
    synthetic = data["synthetic_images"]
    drawn = f" {synthetic} of the images are generated, not photographs." if synthetic else ""
    warnings = " ".join(data["warnings"])
    return (
        paragraph(
            f"""{data["table"]} (SHA-256 {data["table_sha256"]}); the images in their order:
            SHA-256 {data["images_sha256"]}. Split {data["split"]}.{drawn} {warnings}"""
        )
        + table
        + paragraph(
            f"""{data["flagged"]} images were flagged for sharpness, size or exposure;
            {data["excluded_as_flagged"]} of them were left out.
            {data["excluded_by_hand"]} further images were left out by hand."""
        )
    )


def _metrics(model: dict[str, Any]) -> str:
    return paragraph(
        f"""Nothing was chosen on the test part in this training. Intervals are of 95%,
        by patient (Obuchowski 1997), because images of one patient are alike; that of an area of
        exactly 0 or 1 is a score interval (Newcombe 2006). The positive class is
        {model["positive_class"]}. Probabilities are a softmax over the two similarities, at a
        scale of {model["calibration"]["scale"]:.3g} from {model["calibration"]["on"]}. Threshold:
        {model["threshold"]:g}; {model["threshold_chosen"]}."""
    )


def _analyses(model: dict[str, Any]) -> str:
    text = _part("Test part", model["test"])
    folds = model["cross_validation"]
    if folds:
        title = f"Cross-validation by patient in {folds['folds']} folds"
        text += _part(title, folds)
    return text + _part("Training part, seen while learning", model["train"])


def _part(title: str, part: dict[str, Any]) -> str:
    """Give the three areas and CoOp's calls of one part."""
    shares = "; ".join(
        f"{share} {number(part[share]['estimate'])} ({interval(part[share])}, "
        f"{part[share]['right']} of {part[share]['of']})"
        for share in ("sensitivity", "specificity")
    )
    notes = " ".join(part["areas"]["coop"]["notes"])
    return (
        f"\n{title}: {part['n']['images']} images of {part['n']['patients']} patients.\n\n"
        "| on the same image features | AUC | 95% interval |\n|---|---|---|\n"
        f"{area_rows(part['areas'])}\n"
    ) + paragraph(f"CoOp at its threshold: {shares}. {notes}")


def _caveats(model: dict[str, Any]) -> str:
    test = model["data"]["parts"]["test"]
    backbone = (
        """ Its backbone learned from drawings that a program made, so its features are poor beside
        those of a CLIP trained on photographs."""
        if model["training"]["backbone_shipped"]
        else ""
    )
    return paragraph(
        f"""The test part has {test["BCC"]} BCC and {test["SK"]} SK images from the same source as
        the training part: on another clinic's photographs expect less, and measure it there first
        (reread evaluate). Probabilities follow the share of carcinomas in the training part.
        {backbone}"""
    )


def _files(model: dict[str, Any], backbone: dict[str, Any]) -> str:
    weights = backbone["weights"]
    place = weights["file"] or f"open_clip {weights['pretrained']}"
    hashes = (
        (place, weights["sha256"]),
        ("prompt.safetensors", model["prompt_sha256"]),
        ("probe.safetensors", model["probe_sha256"]),
        ("training-images.csv", model["training_images_sha256"]),
    )
    return "".join(f"- {name}: SHA-256 `{sha256}`\n" for name, sha256 in hashes)
