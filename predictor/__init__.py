"""Diffusion DNA from a prompt's conditioning, with no model call: predict, read, write, record, train. No host."""

from .dataset import DNADataSet
from .model import Regressor
from .pairs import Origin, Pair, Pairs
from .pooling import Pooling, pool
from .predictor import Output, Predictor
from .size_shift import SizeShift

__all__ = ["DNADataSet", "Origin", "Output", "Pair", "Pairs", "Pooling", "Predictor", "Regressor", "SizeShift", "pool"]
