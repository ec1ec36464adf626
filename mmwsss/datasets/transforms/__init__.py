"""Pipeline steps: checked loading, random size, padded crop, packing of the multi-hot label."""

from .formatting import PackWSSSInputs
from .loading import LoadImage, LoadMask
from .padded_crop import PaddedRandomCrop
from .resize import RandomResizeLongSide

__all__ = ['LoadImage', 'LoadMask', 'PackWSSSInputs', 'PaddedRandomCrop', 'RandomResizeLongSide']
