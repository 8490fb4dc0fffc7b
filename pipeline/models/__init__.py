"""Architectures: single-device `nn.Module`s that import no task, no data and no trainer."""
