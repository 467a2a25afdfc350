"""Lightning's Trainer on tensors in memory, without its checkpoints, logger and summary."""

# pyright: reportMissingImports=false, reportUnknownParameterType=false, reportUntypedBaseClass=false

import logging
import warnings
from typing import Any

import lightning
import torch
from networks import torch_network
from task import LEARNING_RATE, Asked, Clock, Trained, answer, asked, mnist
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset


class Classifier(lightning.LightningModule):
    def __init__(self, net: str) -> None:
        super().__init__()
        self.network = torch_network(net)
        self.last = torch.zeros(())

    def training_step(self, batch: Any, _: int) -> Tensor:
        inputs, targets = batch
        loss = cross_entropy(self.network(inputs), targets)
        self.last = loss.detach()
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), LEARNING_RATE)


class Timer(lightning.Callback):
    def on_train_start(self, *_: Any) -> None:
        self.clock = Clock()

    def on_train_epoch_end(self, *_: Any) -> None:
        self.clock.lap()


def train(asked: Asked) -> Trained:
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    rows = TensorDataset(*map(torch.from_numpy, mnist(asked.data)))
    classifier, timer = Classifier(asked.net), Timer()
    trainer = lightning.Trainer(
        max_epochs=asked.epochs,
        accelerator="cpu",
        callbacks=[timer],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(classifier, DataLoader(rows, batch_size=asked.batch, shuffle=True))
    parameters = sum(p.numel() for p in classifier.network.parameters())
    clock = timer.clock
    return Trained(clock.first_step, clock.seconds, parameters, classifier.last.item())


if __name__ == "__main__":
    answer(asked(), train, "lightning", "torch")
