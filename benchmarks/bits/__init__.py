"""Which operations of the nets give the same bits on which processors, under several settings of oneDNN and MKL.

`python -m benchmarks.bits` hashes each operation's result and gradients on this processor, in `results/`, and compares
all processors that were recorded.
"""
