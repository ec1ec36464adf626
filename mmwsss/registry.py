"""Registries of our own; everything else registers in ``mmseg.registry``."""

import mmseg.registry
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import Registry
from mmseg.registry import MODELS

__all__ = ['REFINERS']

# Refiners, from class maps to masks.
REFINERS = Registry('refiner', parent=MODELS, scope='mmwsss', locations=['mmwsss.refine'])

# For `_base_ = 'mmwsss::...'` and mmengine.hub: the package of the configs, and registries of the scope that
# MMEngine then writes into them, which hand on to mmseg's; a parent is not asked to import its modules.
MODULE2PACKAGE['mmwsss'] = 'mmwsss'
for _name, _parent in vars(mmseg.registry).copy().items():
    if isinstance(_parent, Registry) and 'mmwsss' not in _parent.children:
        _locations = ['mmwsss', *_parent._locations]
        Registry(_parent.name, parent=_parent, scope='mmwsss', locations=_locations)
