"""Pure tensor and array functions: the methods' formulas, without registry, files or devices."""

from mmwsss.functional.cam import *  # noqa: F403
from mmwsss.functional.multi_scale import *  # noqa: F403
