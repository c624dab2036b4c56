from .fitting import PcaConfig as PcaConfig, PcaReport as PcaReport, fit_pca as fit_pca
from .pca import Pca as Pca, find_pca as find_pca, read_pca as read_pca
from .reducing import ReduceReport as ReduceReport, reduce_store as reduce_store
