from .checks import (
    HEAD_CHECKS as HEAD_CHECKS,
    HeadCheck as HeadCheck,
    check_head as check_head,
    check_loaded as check_loaded,
)
