"""The command ``mmwsss``: its subcommands are the files of ``tools/``, which are found and not listed.

It lies outside the package, whose import takes seconds, so that help comes at once.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import re
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import NoReturn

__all__ = ['ToolParser', 'find_commands', 'main']

# Subcommands of tools whose file has a longer name; the others have that of their file.
SHORTER = {
    'make_maps': 'maps',
    'make_masks': 'masks',
    'eval_masks': 'score',
    'run_pipeline': 'pipeline',
    'list_configs': 'configs',
    'export_masks': 'export',
    'make_demo_data': 'demo',
}
GROUPS = {'dataset_converters': 'data', 'model_converters': 'weights'}
EXIT_ERROR = 2
MAX_LENGTH = 320  # of a message: four lines on a screen
HELP = """\
mmwsss: from image-level labels to a segmenter.

usage: mmwsss COMMAND ...       options of one: mmwsss COMMAND --help

{commands}

Step by step: data, train (a localizer), maps, masks, score, train (a segmenter), test, predict; `pipeline`
does all of it. A config is a file of yours or of the package, such as configs/sipe/sipe_r50_voc.py:
`mmwsss configs sipe` finds them."""


class ToolParser(argparse.ArgumentParser):
    """A tool's parser: its description stays as it is, and a mistake is two lines instead of the usage."""

    def __init__(self, description: str | None) -> None:
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(description=description, formatter_class=formatter)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit with 2."""
        message = textwrap.shorten(message, MAX_LENGTH, placeholder=' ...')
        self.exit(EXIT_ERROR, f'error: {message}\nsee {self.prog} --help\n')


def main(words: list[str] | None = None) -> int:
    """Run a subcommand, or say which there are.

    Args:
        words: Words behind ``mmwsss``; by default those of the command line.

    Returns:
        The exit code, where the subcommand does not exit itself.
    """
    words = sys.argv[1:] if words is None else words
    commands = find_commands()
    if not words or words[0] in ('-h', '--help', 'help'):
        print(HELP.format(commands=listing(commands)))
        return 0
    if words[0] == '--version':
        print(f'mmwsss {read_version()}')
        return 0
    taken = 2 if words[0] in GROUPS.values() else 1
    name, rest = ' '.join(words[:taken]), words[taken:]
    if name in GROUPS.values() or name.endswith((' -h', ' --help')):
        inside = {key: path for key, path in commands.items() if key.split()[0] == words[0]}
        print(f'usage: mmwsss {words[0]} NAME ...\n\n{listing(inside)}')
        return 0
    if name not in commands:
        close = difflib.get_close_matches(name, commands, n=1)
        hint = f'did you mean {close[0]!r}?' if close else '`mmwsss --help` names them all'
        print(f'error: there is no command {name!r}; {hint}', file=sys.stderr)
        return EXIT_ERROR
    run(name, commands[name], rest)
    return 0


def run(name: str, tool: Path, words: list[str]) -> None:
    """Run a tool as the main program; not by ``runpy``, which names it by its path in help and records."""
    before = sys.argv, sys.modules['__main__']
    module = ModuleType('__main__')
    module.__file__ = str(tool)
    sys.argv, sys.modules['__main__'] = [f'mmwsss {name}', *words], module
    try:
        exec(compile(tool.read_bytes(), str(tool), 'exec'), vars(module))  # noqa: S102
    finally:
        sys.argv, sys.modules['__main__'] = before


def find_commands() -> dict[str, Path]:
    """The tools by the name of their subcommand: those of a checkout, else those that a wheel brings."""
    package = package_folder()
    tools = next(
        folder / 'tools'
        for folder in (package.parent, package / '.mim')
        if (folder / 'model-index.yml').is_file()
    )
    groups = {'': tools, **{f'{name} ': tools / folder for folder, name in GROUPS.items()}}
    return {
        prefix + SHORTER.get(path.stem, path.stem.replace('_', '-')): path
        for prefix, folder in groups.items()
        for path in sorted(folder.glob('*.py'))
    }


def package_folder() -> Path:
    """Where the package lies, which is not imported for that."""
    spec = find_spec('mmwsss')
    if spec is None or spec.origin is None:
        raise ImportError('the package mmwsss is not installed')
    return Path(spec.origin).resolve().parent


def read_version() -> str:
    """The version, from its file."""
    text = (package_folder() / 'version.py').read_text(encoding='utf-8')
    match = re.search(r"__version__ = '([^']+)'", text)
    return match[1] if match else 'unknown'


def listing(commands: dict[str, Path]) -> str:
    """One line each: the subcommand and the first sentence of its tool."""
    width = max(map(len, commands)) + 2
    return '\n'.join(f'  {name:<{width}}{first_line(path)}' for name, path in commands.items())


def first_line(path: Path) -> str:
    """The first line of a tool's docstring, without full stop."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding='utf-8'))) or ''
    return text.partition('\n')[0].rstrip('.')


if __name__ == '__main__':
    sys.exit(main())
