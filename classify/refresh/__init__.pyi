from .config import TEMPLATE as TEMPLATE, RefreshConfig as RefreshConfig
from .held_out import HeldOut as HeldOut
from .promotion import Decision as Decision, decide_promotion as decide_promotion
from .refreshing import RefreshSummary as RefreshSummary, refresh_head as refresh_head, roll_back as roll_back
from .versions import HeadVersions as HeadVersions, champion_folder as champion_folder
