"""Count the operations of a whole model and of its last block, which bound what stored activations can save.

The plain way runs the whole model forwards and the block backwards, which takes twice the block's operations. From
stored activations only the block runs, forwards and backwards. Where both run equally fast, an epoch cannot become
shorter by more than (whole + 2 block) / (3 block); a first layer that needs no gradient of its input saves a little
more. It bounds what is gained while the whole block is computed, not what a shorter block could gain.

Counted, not timed: the figures are the same on every machine.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from embed.encoders import declare_missing_operators

DEPTH = 6  # of the modules whose operations are counted


def main() -> None:
    declare_missing_operators()
    from torchvision.models.video import mvit_v2_s, r2plus1d_18, swin3d_t

    print("| model, block | whole, GFLOP | block, GFLOP | share | at most |")
    print("| --- | --: | --: | --: | --: |")
    for build, block, side in (
        (mvit_v2_s, "blocks.15", 224),
        (swin3d_t, "features.6", 224),
        (r2plus1d_18, "layer4", 112),
    ):
        whole, own = count(build, block, side)
        bound = (whole + 2 * own) / (3 * own)
        print(
            f"| {build.__name__}, {block} | {whole / 1e9:.1f} | {own / 1e9:.1f} | {own / whole:.1%} | {bound:.1f} x |"
        )


def count(build: Callable[..., Any], block: str, side: int) -> tuple[int, int]:
    """Return the operations of a forward pass on a clip of 16 frames: of the model, and of its block."""
    model = build(weights=None).eval()
    with torch.inference_mode(), FlopCounterMode(mods=model, display=False, depth=DEPTH) as counter:
        model(torch.zeros(1, 3, 16, side, side))
    counts = counter.get_flop_counts()
    name = next(name for name in counts if name.endswith(f".{block}"))
    return counter.get_total_flops(), sum(counts[name].values())


if __name__ == "__main__":
    main()
