"""Command line: `python -m models.synthetic demo --seed N --out FOLDER`."""

# ruff: noqa: T201 a command line prints
import argparse
from pathlib import Path

from models.synthetic.demo import write_demo


def main() -> None:
    """Write the sample study."""
    parser = argparse.ArgumentParser(description="Generate synthetic skin lesions.")
    commands = parser.add_subparsers(required=True)
    demo = commands.add_parser("demo", help="write the sample study: cases.csv and images/")
    demo.add_argument("--seed", type=int, default=404)
    demo.add_argument("--out", type=Path, default=Path("demo"))
    demo.add_argument("--masks", type=Path, help="write each lesion's mask into this folder too")
    chosen = parser.parse_args()
    count = write_demo(chosen.out, chosen.seed, chosen.masks)
    print(f"{count} images in {chosen.out / 'images'}")


if __name__ == "__main__":
    main()
