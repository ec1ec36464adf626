"""Class maps, masks and records on disk: atomic, checked, resumable."""
# ruff: noqa: F403  (the modules' __all__ are the package's; static, for the type checker)

from mmwsss.io.atomic import *
from mmwsss.io.backend import *
from mmwsss.io.class_maps import *
from mmwsss.io.damage import *
from mmwsss.io.ids import *
from mmwsss.io.lock import *
from mmwsss.io.mask_io import *
from mmwsss.io.names import *
from mmwsss.io.pool import *
from mmwsss.io.record import *
from mmwsss.io.segments import *
