"""mmwsss: weakly supervised semantic segmentation on MMSegmentation.

Importing the package checks that what it stands on is there (one readable message if not), allow-lists
the few classes that training checkpoints hold, and registers every component in ``mmseg.registry``, so
that ``custom_imports = dict(imports=['mmwsss'])`` is all a config needs.
"""

from mmwsss.compat import allow_safe_resume, check_dependencies, quiet_imports
from mmwsss.version import __version__

check_dependencies()
allow_safe_resume()

with quiet_imports():
    from mmwsss import datasets, engine, evaluation, models, refine

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'models', 'refine']
