from .averaging import (
    AVERAGE as AVERAGE,
    Member as Member,
    configure_average as configure_average,
    fit_average as fit_average,
)
from .batches import (
    LabelledSet as LabelledSet,
    Videos as Videos,
    VideoSet as VideoSet,
    blocks_of as blocks_of,
    open_videos as open_videos,
    take_videos as take_videos,
)
from .device_sets import select_rows as select_rows
from .devices import find_device as find_device, on_one_thread as on_one_thread
from .held_out import (
    HeldOut as HeldOut,
    Outputs as Outputs,
    fit_outputs as fit_outputs,
    list_folds as list_folds,
    predict_held_out as predict_held_out,
    refuse_untunable as refuse_untunable,
)
from .history import EpochRecord as EpochRecord
from .joint_training import TrainJob as TrainJob, fit_heads as fit_heads
from .logits import predict_probabilities as predict_probabilities
from .objective import Objective as Objective
from .recipe import GROUPS as GROUPS, RECIPES as RECIPES, TrainConfig as TrainConfig, settle as settle
from .shared_rows import SharedRows as SharedRows
from .training import (
    TrainingRun as TrainingRun,
    configure_head as configure_head,
    fit_head as fit_head,
    refuse_untrainable as refuse_untrainable,
    with_head as with_head,
)
