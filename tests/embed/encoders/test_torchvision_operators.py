import subprocess
import sys

SCRIPT = """
from embed.encoders.torchvision_operators import declare_missing_operators
first = declare_missing_operators()
assert declare_missing_operators() is first
import torch, torchvision, open_clip, timm
from torchvision.extension import _has_ops
assert (first is None) == _has_ops(), (first, _has_ops())
torch.ops.torchvision.nms
print(torchvision.__version__)
"""


def test_torchvision_imports_beside_any_torch_in_a_clean_interpreter() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0.")
