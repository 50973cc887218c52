"""The options of the commands on models; apart from the commands, so that help loads no torch."""

import argparse


def add_train_options(train: argparse.ArgumentParser) -> None:
    """Add what `reread train` understands."""
    train.add_argument("cases", help="the table of cases (CSV), as for import, one row an image")
    train.add_argument("--images", required=True, help="the folder or ZIP file of the images")
    train.add_argument("--out", required=True, help="the folder of the model; a new one")
    train.add_argument(
        "--preset",
        choices=("paper",),
        help="paper: ViT-B-16-quickgelu with OpenAI's weights, the data set's own normalisation, "
        "9:1, 100 epochs with an augmented view for each; what is said beside it goes before",
    )
    train.add_argument(
        "--backbone",
        metavar="NAME",
        help="an open_clip name such as ViT-B-16-quickgelu (without it and --weights: the small "
        "CLIP that comes with reread, which learned from generated pictures only)",
    )
    train.add_argument(
        "--weights", metavar="TAG|FILE", help="its weights: openai, or a local .safetensors file"
    )
    train.add_argument("--positive", default="BCC", help="the positive class (BCC)")
    train.add_argument(
        "--group",
        default="patient_id",
        metavar="COLUMN",
        help="images that agree in this column are kept together by the split (patient_id)",
    )
    train.add_argument(
        "--views", type=int, help="augmented views of each image (4); as many as epochs is exact"
    )
    train.add_argument(
        "--test-fraction", type=float, help="share of the patients kept for testing (0.1)"
    )
    train.add_argument("--epochs", type=int, help="of the prompt's training (100)")
    train.add_argument(
        "--normalisation",
        choices=("clip", "data"),
        help="of the colours: the backbone's own (clip), or the training images' (data)",
    )
    train.add_argument("--seed", type=int, default=1, help="of split, views and training (1)")
    train.add_argument(
        "--folds",
        type=int,
        default=0,
        help="also estimate by cross-validation by patient: one more training for each fold (0)",
    )
    train.add_argument(
        "--exclude-flagged",
        action="store_true",
        help="leave out images that are flagged for sharpness, size or exposure",
    )
    train.add_argument("--cache", help="a folder for image features (features under REREAD_DATA)")
