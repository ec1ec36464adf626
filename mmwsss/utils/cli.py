"""What the command-line tools share: arguments, launchers, error messages and exit codes.

Exit codes: 0 all done, 1 some images failed, 2 the tool could not run, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
import textwrap
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

import torch
from mmengine.config import DictAction
from mmengine.dist import get_rank, init_dist

from mmwsss.io import BatchReport
from mmwsss.utils.device import use_device
from mmwsss.utils.names import name_some
from mmwsss.utils.precision import PRECISIONS

__all__ = [
    'KNOWN_ERRORS',
    'OptionAction',
    'add_config_arguments',
    'add_device_argument',
    'add_launcher_arguments',
    'add_precision_argument',
    'add_trust_argument',
    'add_verbose_argument',
    'add_workers_argument',
    'default_workers',
    'finish_report',
    'option_words',
    'run_tool',
    'setup_launcher',
]

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
# What a wrong file, config or argument raises; anything else is a fault of the program.
KNOWN_ERRORS = (ValueError, TypeError, LookupError, OSError, ImportError)
CLEAR_ERRORS = (ValueError, OSError)
LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')
MAX_SHOWN = 30
MAX_LENGTH = 480  # of a message: five lines on a screen
ERROR_LINE = re.compile(r'^[\w.]*(?:Error|Exception): ', re.MULTILINE)  # the end of a traceback
WAIT_SECONDS = 7 * 24 * 3600  # a rank that is done waits for the slowest one


class OptionAction(DictAction):
    """MMEngine's ``DictAction``, which keeps spaces in values and reads JSON values as they are.

    ``KEY=my photos`` stays one text, and ``KEY='"a, b"'`` (a JSON text) is not taken for a list.
    """

    @staticmethod
    def _parse_iterable(val: str) -> Any:
        if val[:1] in ('"', '[', '{'):
            try:
                return json.loads(val)
            except ValueError:
                pass
        parsed = DictAction._parse_iterable(val)
        return val.strip('\'"') if isinstance(parsed, str) else parsed


def option_words(options: dict[str, Any]) -> list[str]:
    """Options as words behind ``--cfg-options``, such that :class:`OptionAction` gives them back."""
    return [f'{key}={option_text(value)}' for key, value in options.items()]


def option_text(value: Any) -> str:
    """A value as :class:`OptionAction` reads it: plain where that is clear, else as JSON."""
    plain = str(value)
    is_plain = value is None or isinstance(value, (bool, int, float, str))
    return plain if is_plain and OptionAction._parse_iterable(plain) == value else json.dumps(value)


def add_verbose_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--verbose``: tracebacks and debugging messages."""
    parser.add_argument('--verbose', action='store_true', help='show the traceback of an error')


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the positional ``config``, ``--cfg-options`` and ``--verbose``."""
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionAction,
        metavar='KEY=VALUE',
        help='replace settings of the config, e.g. data_root=data/voc_mini model.head.num_classes=5',
    )
    add_verbose_argument(parser)


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``, which :func:`run_tool` makes MMEngine's."""
    parser.add_argument('--device', help='cpu, cuda, cuda:1 ... (default: the best available)')


def add_precision_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--precision``, for :func:`~mmwsss.utils.precision.set_precision`."""
    parser.add_argument(
        '--precision',
        choices=PRECISIONS,
        help='in which backbones run; heads, refiners and scores stay in float32 (default: that of the '
        "config's test_cfg and mask_cfg, float32)",
    )


def add_launcher_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--launcher`` and ``--local_rank``, as mmseg's tools have them."""
    parser.add_argument(
        '--launcher',
        choices=LAUNCHERS,
        default='none',
        help='how the processes of a distributed run were started; torchrun is "pytorch"',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)


def add_trust_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--trust-checkpoint``, which leaves weights-only loading."""
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='allow checkpoints that hold more than tensors and plain data: they can run code',
    )


def add_workers_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers``, the number of processes that work on images."""
    parser.add_argument(
        '--workers',
        type=int,
        default=default_workers(),
        help='processes that work on images, 0: this one only (default here: %(default)s)',
    )


def default_workers() -> int:
    """The number of cores this process may use, shared among the ranks of this machine; 0 for one."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    cores //= max(int(os.environ.get('LOCAL_WORLD_SIZE', '1')), 1)
    return cores if cores > 1 else 0


def setup_launcher(launcher: str) -> None:
    """Join the processes of a distributed run that only share out work and gather reports.

    Uses gloo, with or without accelerators, and waits a week for slow ranks. Under torchrun the
    launcher is recognised without being named.

    Args:
        launcher: One of ``'none'``, ``'pytorch'``, ``'slurm'``, ``'mpi'``.

    Raises:
        ValueError: The launcher's environment variables are missing, or it needs an accelerator.
    """
    if launcher == 'none' and {'RANK', 'WORLD_SIZE', 'MASTER_ADDR'} <= set(os.environ):
        launcher = 'pytorch'
    if launcher == 'none' or torch.distributed.is_initialized():
        return
    if launcher == 'pytorch' and not {'RANK', 'WORLD_SIZE'} <= set(os.environ):
        raise ValueError('--launcher pytorch needs RANK and WORLD_SIZE: start it with torchrun')
    if torch.cuda.is_available():
        init_dist(launcher, backend='gloo', timeout=WAIT_SECONDS)
    elif launcher == 'pytorch':  # mmengine's would ask for an accelerator
        torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=WAIT_SECONDS))
    else:
        raise ValueError(f'--launcher {launcher} needs an accelerator; use torchrun on CPUs')


def finish_report(report: BatchReport) -> int:
    """Print a report on rank 0 and return the exit code.

    Failed images, at most 30, are only named: :func:`~mmwsss.io.process_items` has shown their errors.
    """
    if get_rank() == 0:
        lines = [report.counts()]
        if report.failed:
            lines.append(f'  failed: {name_some(report.failed, MAX_SHOWN)} (reasons above)')
        print('\n'.join(lines), file=sys.stderr if report.failed else sys.stdout, flush=True)
    return report.exit_code


def run_tool(
    main: Callable[[argparse.Namespace], int | None], args: argparse.Namespace
) -> NoReturn:
    """Run a tool's ``main`` and exit with its code.

    Errors that a wrong file, config or argument raises become one readable line on stderr and exit
    code 2; ``--verbose`` shows the traceback instead. Other errors show it always. Ctrl-C exits
    with 130.

    Args:
        main: Takes the parsed arguments and returns an exit code (None: 0).
        args: The parsed arguments; ``verbose``, ``device`` and ``launcher`` are looked at if there.
    """
    verbose = getattr(args, 'verbose', False)
    caught: tuple[type[Exception], ...] = () if verbose else KNOWN_ERRORS
    if verbose:
        logging.basicConfig(level=logging.DEBUG)
    else:  # mmseg's, again for every size of image
        warnings.filterwarnings('ignore', message='When align_corners=')
    try:
        if getattr(args, 'device', None):
            use_device(args.device, getattr(args, 'launcher', 'none'))
        code = main(args) or 0
    except caught as error:
        hint = '' if isinstance(error, CLEAR_ERRORS) else ' (--verbose shows where)'
        print(f'error: {error_text(error)}{hint}', file=sys.stderr, flush=True)
        code = EXIT_ERROR
    except KeyboardInterrupt:
        option = ' with --resume' if getattr(args, 'resume', None) is False else ''
        print(f'interrupted; the same command{option} goes on', file=sys.stderr, flush=True)
        code = EXIT_INTERRUPTED
    # After an error the launcher ends the other ranks.
    if code in (0, 1) and torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    sys.exit(code)


def error_text(error: BaseException) -> str:
    """One paragraph for an error: its message, with the type where the message alone says little.

    A traceback in the message, as errors of a loader's process bring along, is reduced to its end.
    """
    if isinstance(error, OSError) and error.strerror:
        text = str(error)
    else:  # str() of a KeyError is the repr of its message
        text = str(error.args[0] if error.args else error)
        if 'Traceback (most recent call last)' in text:
            text = ERROR_LINE.split(text)[-1]
        text = textwrap.shorten(text, MAX_LENGTH, placeholder=' ...')
    bare = not text or ' ' not in text
    return f'{type(error).__name__}: {text}'.rstrip(': ') if bare else text
