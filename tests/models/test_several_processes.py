"""Two processes that train one model, started as the manual says."""

# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
import subprocess
import sys
from pathlib import Path

import torch

from models.side_by_side import Process

ONE_OF_TWO = """
import sys
from pathlib import Path

import torch

from models.side_by_side import joined

folder = Path(sys.argv[1])
with joined() as process:
    with process.first_before_others(), (folder / "order").open("a") as file:
        file.write(f"{process.rank} of {process.count}, ")
    parameter = torch.nn.Parameter(torch.zeros(2, 2))
    parameter.grad = torch.full((2, 2), 1.0 + 4 * process.rank)
    process.average_gradients([parameter, torch.nn.Parameter(torch.zeros(3))])
(folder / str(process.rank)).write_text(str(parameter.grad.flatten().tolist()))
"""


def test_the_first_paints_before_the_other_looks_and_both_step_by_the_mean_gradient(
    tmp_path: Path,
) -> None:
    script = tmp_path / "one_of_two.py"
    script.write_text(ONE_OF_TWO)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(  # noqa: S603 - our own script
        [*launcher, "--nproc-per-node", "2", str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "order").read_text() == "0 of 2, 1 of 2, "
    for rank in "01":
        assert (tmp_path / rank).read_text() == "[3.0, 3.0, 3.0, 3.0]"


def test_one_process_alone_waits_for_nobody() -> None:
    parameter = torch.nn.Parameter(torch.zeros(2))
    parameter.grad = torch.ones(2)
    with Process().first_before_others():
        Process().average_gradients([parameter])
    assert parameter.grad.tolist() == [1, 1]
