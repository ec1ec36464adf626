"""Pure tensor and array functions: the methods' formulas, without registry, files or devices."""

from mmwsss.functional.balanced_sampling import *  # noqa: F403
from mmwsss.functional.cam import *  # noqa: F403
from mmwsss.functional.confusion import *  # noqa: F403
from mmwsss.functional.crf import *  # noqa: F403
from mmwsss.functional.ewc import *  # noqa: F403
from mmwsss.functional.ia_miou import *  # noqa: F403
from mmwsss.functional.irn import *  # noqa: F403
from mmwsss.functional.multi_scale import *  # noqa: F403
from mmwsss.functional.polygons import *  # noqa: F403
from mmwsss.functional.random_walk import *  # noqa: F403
from mmwsss.functional.rpnet import *  # noqa: F403
from mmwsss.functional.sipe import *  # noqa: F403
from mmwsss.functional.size_weights import *  # noqa: F403
from mmwsss.functional.svm import *  # noqa: F403
from mmwsss.functional.valid import *  # noqa: F403
