from .promotion import Decision as Decision, decide_promotion as decide_promotion
from .versions import HeadVersions as HeadVersions, champion_folder as champion_folder
