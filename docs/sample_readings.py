"""Make docs/sample-readings.csv anew: two simulated readers, to try `reread analyse` on.

    .venv/bin/python docs/sample_readings.py

Nobody read them: each score is a draw from a normal distribution, further apart with the AI than
without. The same seed gives the same bytes.
"""

import csv
import io
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "sample-readings.csv"
CASES, BCC = 60, 24
HEADER = ("reader_id", "case_id", "truth", "modality", "call", "score", "simulated")
APART = {"unaided": (1.2, 0.8), "aided": (1.8, 1.5)}  # of the classes' means, in deviations


def sample() -> str:
    """Return the file's text."""
    draws = np.random.default_rng(2026)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for reader in range(2):
        for case in range(CASES):
            truth = "BCC" if case < BCC else "SK"
            taste = draws.normal()  # the case as this reader sees it, both times
            for modality, apart in APART.items():
                shift = apart[reader] / 2 * (1 if truth == "BCC" else -1)
                seen = shift + 0.8 * taste + 0.6 * draws.normal()
                score = round(float(1 / (1 + np.exp(-1.5 * seen))), 2)
                call = "BCC" if score >= 0.5 else "SK"  # noqa: PLR2004 - the middle
                row = (f"R{reader + 1:02}", f"sample-{case + 1:02}", truth, modality, call, score)
                writer.writerow((*row, "yes"))
    return out.getvalue()


if __name__ == "__main__":
    FILE.write_text(sample(), encoding="utf-8", newline="")
