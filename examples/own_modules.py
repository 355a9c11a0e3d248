"""Your own modules, no recipe file: a teacher that exists, a smaller student, scikit-learn's digits.

One digit in ten has a label; the teacher was trained elsewhere on all of them. In under a minute this prints the
verdict, and leaves the report in runs/own_modules/report.html. Run it with `python examples/own_modules.py`.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import limbeck as lk
from limbeck.core.progress import Terminal


class Net(nn.Module):
    """A perceptron on 64 pixels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.head(self.layers(x))
        return logits


def trained(x: Tensor, y: Tensor, steps: int = 300) -> Net:
    """The teacher, as somebody trained it."""
    torch.manual_seed(0)
    net = Net(width=256)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.1)
    for _ in range(steps):
        rows = torch.randint(len(x), (128,))
        loss = F.cross_entropy(net(x[rows]), y[rows], label_smoothing=0.1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net


def main() -> lk.Run:
    """Teacher, student, verdict."""
    pixels, labels = load_digits(return_X_y=True)
    x, y = (pixels / 16).astype(np.float32), labels  # floats reach both models as they are
    few, many, test = slice(0, 120), slice(120, 1200), slice(1200, None)
    teacher = trained(torch.from_numpy(x[:1200]), torch.from_numpy(y[:1200]))
    return lk.distil(
        teacher=teacher,
        student=lambda: Net(width=16),  # called once a seed, so that the verdict covers initialisation
        data=(x[few], y[few]),
        unlabelled=x[many],
        test=(x[test], y[test]),
        recipe={
            "data": {"validation_fraction": 0.3},
            "train": {"epochs": 15, "batch_size": 64, "learning_rate": 0.01},
            "tune": {"trials": 2, "finalists": 1},
            "verdict": {"seeds": 3},
        },
        out="runs/own_modules",
        progress=Terminal(),
    )


if __name__ == "__main__":
    run = main()
    assert run.verdict is not None, "three seeds were asked for"
    print(run.verdict.sentence)
    print(run.report)
