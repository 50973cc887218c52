"""How fast the statistics are, against R in the same run where R is installed.

Prints a table, and as its last line one JSON object: the ratios asked for, and whether all hold.
Where a package is not installed, its time is the one measured earlier on one machine, and the
table says so. Both sides start from the raw vectors. Run: `make bench-statistics`;
`--plot OUT` draws the growth with readers and cases.
"""

# ruff: noqa: E402 - the number of threads and the path come before the imports

import os

# One BLAS thread: the comparison is of algorithms, and R's BLAS uses one too.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Run as a file, Python would find this file under the standard library's name "statistics".
sys.path[0] = str(ROOT)

import numpy as np

from app.statistics.bootstrap import bootstrap_intervals, draw, paired_statistics
from app.statistics.covariance import Crossed
from app.statistics.obuchowski_rockette import obuchowski_rockette
from app.statistics.roc import auc_difference
from app.statistics.study import analyse
from app.statistics.table import Row, table_from_rows
from app.statistics.ustatistics import u_statistics

HALF = 0.5

# Seconds of MRMCaov, iMRMC and pROC, measured on one machine: used where R lacks the package.
EARLIER = {"MRMCaov": 1.0, "iMRMC": 9.5, "pROC paired": 7.5e-3, "pROC bootstrap": 10.9}

PROC = """
suppressMessages(library(pROC))
d <- read.csv("%s")
curve <- function(x) roc(d$y, x, quiet = TRUE, direction = "<")
paired <- min(sapply(1:7, function(i) system.time(for (k in 1:50)
  roc.test(curve(d$unaided), curve(d$aided), method = "delong", paired = TRUE)
  )[["elapsed"]] / 50))
a <- curve(d$unaided); b <- curve(d$aided)
boot <- system.time(roc.test(a, b, method = "bootstrap", boot.n = 2000, paired = TRUE,
  progress = "none"))[["elapsed"]]
cat(paired, boot)
"""


@dataclass(frozen=True)
class Line:
    """One comparison: how many times faster, and how many are asked for."""

    name: str
    ours: float
    theirs: float
    source: str
    asked: float

    @property
    def ratio(self) -> float:
        """Their seconds over ours."""
        return self.theirs / self.ours

    @property
    def holds(self) -> bool:
        """Whether the ratio asked for is reached."""
        return self.ratio >= self.asked


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Shortest of several runs."""
    times: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def readings(readers: int, positives: int, negatives: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth (C,) and scores (2, R, C) on an eleven-point scale."""
    rng = np.random.default_rng(1)
    truth = np.arange(positives + negatives) < positives
    lift = np.array([0.2, 0.35])[:, None, None]
    scores = rng.normal(0.5 + lift * (truth - 0.5), 0.2, (2, readers, truth.size))
    return truth, np.clip(scores, 0, 1).round(1)


def rows(truth: np.ndarray, scores: np.ndarray) -> list[Row]:
    """Write scores (2, R, C) as rows of a study with the model's output."""
    return [
        (
            f"r{r}",
            f"c{c}",
            "BCC" if truth[c] else "SK",
            ("unaided", "aided")[m],
            "BCC" if scores[m, r, c] >= HALF else "SK",
            float(scores[m, r, c]),
            float(scores[0, 0, c]),
            None,
        )
        for m in range(2)
        for r in range(scores.shape[1])
        for c in range(truth.size)
    ]


def proc_seconds(data: Path) -> tuple[float, float, str]:
    """Time pROC on the 707 cases: paired DeLong, and 2,000 bootstraps of the difference."""
    if shutil.which("Rscript") is None:
        return EARLIER["pROC paired"], EARLIER["pROC bootstrap"], "earlier"
    script = PROC % data.as_posix()
    run = subprocess.run(  # noqa: S603 - our own script
        ["Rscript", "-e", script],  # noqa: S607 - found on the path, as R is everywhere
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        return EARLIER["pROC paired"], EARLIER["pROC bootstrap"], "earlier"
    paired, boot = (float(part) for part in run.stdout.split()[-2:])
    return paired, boot, "this run"


def lines() -> list[Line]:
    """Measure everything that has a counterpart in R."""
    truth, scores = readings(10, 350, 350)
    flat = scores.reshape(20, -1)

    def rockette() -> object:
        crossed = Crossed(truth, flat)
        cells = (2, 10)
        covariance = crossed.delong().reshape(*cells, *cells)
        return obuchowski_rockette(crossed.areas.reshape(cells), covariance, "delong")

    data = ROOT / "tests/statistics/reference/data/d11_conf7_707.csv"
    table = np.loadtxt(data, delimiter=",", skiprows=1)
    y, zero, one = table[:, 1] == 1, table[:, 2], table[:, 3]
    paired, boot, source = proc_seconds(data)

    def bootstrap() -> object:
        draw.cache_clear()
        statistics = paired_statistics(
            y,
            scores=(zero, one),
            calls=(zero >= HALF, one >= HALF),
            probabilities=True,
        )
        return bootstrap_intervals(statistics, draw(int(y.sum()), int((~y).sum()), 2000, 1), 1)

    return [
        Line(
            "OR 10 x 700 x 2, DeLong, against MRMCaov",
            seconds(rockette),
            EARLIER["MRMCaov"],
            "earlier",
            100,
        ),
        Line(
            "U-statistics 10 x 700 x 2, both estimators, against iMRMC",
            seconds(lambda: u_statistics(truth, scores)),
            EARLIER["iMRMC"],
            "earlier",
            30,
        ),
        Line(
            "paired DeLong, 707 cases, against pROC",
            seconds(lambda: auc_difference(y, zero, one), 50),
            paired,
            source,
            10,
        ),
        Line(
            "2,000 bootstraps of AUC, NRI and IDI, against pROC's of AUC",
            seconds(bootstrap),
            boot,
            source,
            20,
        ),
    ]


def study_seconds(readers: int, positives: int, negatives: int) -> float:
    """Time a whole study, everything on."""
    table = table_from_rows(rows(*readings(readers, positives, negatives)))
    draw.cache_clear()
    return seconds(lambda: analyse(table, bootstrap=2000), 2)


def plot_growth(growth: dict[str, dict[int, float]], path: Path) -> None:
    """Draw seconds of a whole study over readers, and over cases."""
    from matplotlib.figure import Figure

    from app.statistics.figures import render

    figure = Figure(figsize=(8, 3.5), layout="constrained")
    for place, (name, points) in enumerate(growth.items(), start=1):
        axes = figure.add_subplot(1, 2, place)
        axes.plot(list(points), list(points.values()), marker="o", color="#0072B2")
        axes.set_xticks(list(points))
        axes.set_xlabel(name)
        axes.set_ylabel("seconds")
        axes.set_ylim(bottom=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(render(figure, "svg"))


def main() -> None:
    """Print the table and the JSON line."""
    found = lines()
    print(f"{'what':60} {'ours (s)':>10} {'R (s)':>10} {'ratio':>8} {'asked':>6}  R's time")
    for line in found:
        print(
            f"{line.name:60} {line.ours:10.5f} {line.theirs:10.4f} {line.ratio:8.0f} "
            f"{line.asked:6.0f}  {line.source}"
        )
    growth = {
        "readers (707 cases)": {r: study_seconds(r, 99, 608) for r in (2, 5, 10, 20)},
        "cases (10 readers)": {
            c: study_seconds(10, c // 4, c - c // 4) for c in (100, 400, 700, 1200)
        },
    }
    whole = growth["readers (707 cases)"][20]
    print(f"{'a whole study, 20 readers x 707 cases x 2, everything on':60} {whole:10.5f} (< 5 s)")
    for name, points in growth.items():
        print(f"  {name}: " + ", ".join(f"{n}: {s:.2f} s" for n, s in points.items()))
    if "--plot" in sys.argv:
        plot_growth(growth, Path(sys.argv[sys.argv.index("--plot") + 1]))
    ratios = {line.name: line.ratio for line in found}
    holds = all(line.holds for line in found) and whole < 5  # noqa: PLR2004 - what is asked
    print(json.dumps({"ratios": ratios, "study_seconds": whole, "holds": holds}))


if __name__ == "__main__":
    main()
