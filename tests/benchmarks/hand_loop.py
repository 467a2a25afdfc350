"""What a good PyTorch user writes by hand: data in memory, fused Adam, nothing beside the steps."""

import torch
from networks import torch_network
from task import LEARNING_RATE, Asked, Clock, Trained, answer, asked, mnist
from torch.nn.functional import cross_entropy


def train(asked: Asked) -> Trained:
    if asked.threads:
        torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    inputs, targets = map(torch.from_numpy, mnist(asked.data))
    network = torch_network(asked.net)
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE, fused=True)
    loss = torch.zeros(())
    clock = Clock()
    for _ in range(asked.epochs):
        for rows in torch.randperm(len(inputs)).split(asked.batch):
            loss = cross_entropy(network(inputs[rows]), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        clock.lap()
    parameters = sum(p.numel() for p in network.parameters())
    return Trained(clock.first_step, clock.seconds, parameters, loss.item())


if __name__ == "__main__":
    answer(asked(), train, "torch")
