"""Make `import torchvision` work beside a torch that its compiled part was not built for.

PyPI's torchvision wheel for Linux is built for CUDA. Beside a CPU build of torch its compiled library does not load.
torchvision tolerates that, but while it is imported it registers shapes for the operators `nms` and `qnms`, and torch
refuses: "operator torchvision::nms does not exist". open_clip and timm import torchvision, so they fail too. It is
enough to declare the two operators, without any implementation.

Source: the schemas in torchvision/csrc/ops/nms.cpp and quantized/cpu/qnms_kernel.cpp.
"""

import functools
import importlib.util
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.library import Library

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@functools.cache
def declare_missing_operators() -> "Library | None":
    """Declare torchvision's operators if its own library does not. Call this before torchvision is imported.

    Returns:
        The declarations, which live as long as this cached result; None if torchvision's own library loads, or if
        torchvision is not installed.
    """
    import torch

    spec = importlib.util.find_spec("torchvision")
    if spec is None or _own_library_loads(str((spec.submodule_search_locations or [""])[0])):
        return None
    library = torch.library.Library(  # type: ignore[no-untyped-call]
        "torchvision", "FRAGMENT"
    )
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    return library


def _own_library_loads(folder: str) -> bool:
    """Load torchvision's compiled operators as torchvision/extension.py does; return True if that works."""
    import torch

    spec = FileFinder(folder, (ExtensionFileLoader, EXTENSION_SUFFIXES)).find_spec("_C")
    if spec is None or spec.origin is None:
        return False
    try:
        torch.ops.load_library(spec.origin)  # type: ignore[no-untyped-call]
    except OSError:
        return False
    return True
