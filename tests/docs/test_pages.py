from __future__ import annotations

import argparse
import importlib.util
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from mmengine.registry import FUNCTIONS, WEIGHT_INITIALIZERS
from mmseg.registry import (
    DATA_SAMPLERS,
    DATASETS,
    EVALUATOR,
    HOOKS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    TRANSFORMS,
    VISBACKENDS,
    VISUALIZERS,
)

from mmwsss.pipeline import read_pipeline
from mmwsss.registry import REFINERS
from mmwsss.utils.config import load_config
from mmwsss_command import GROUPS, find_commands
from tests.docs.pages import PAGES, ROOT, anchors, blocks, commands, page_name, prose, read_page

# Files that a page asks the reader to write.
READERS_FILES = re.compile(r'configs/.*_custom(_pseudo)?\.py')
# The others quote commands as they were run, with the names of their time.
CURRENT = [page for page in PAGES if page.name != 'results.md']
OTHER_OPTIONS = {'--help', '--nproc_per_node', '--ntasks'}  # argparse's, torchrun's
BASES = {'BaseMetric', 'BaseSegDataset'}  # of mmengine and mmseg
REGISTRIES = (
    MODELS,
    METRICS,
    EVALUATOR,
    HOOKS,
    DATASETS,
    TRANSFORMS,
    DATA_SAMPLERS,
    OPTIM_WRAPPERS,
    VISBACKENDS,
    VISUALIZERS,
    FUNCTIONS,
    WEIGHT_INITIALIZERS,
)
COMPONENT = re.compile(
    r'`(?:type=)?\'?([A-Z]\w+(?:Head|Hook|Metric|Dataset|Wrapper|Sampler|Threshold|Classifier|CRF|Walk'
    r'|Expansion|PreProcessor|Decoder|Mask|Image|Crop|Inputs|LongSide|Score|Refiner))\b'
)


class _ParserSeenError(Exception):
    """Carries a tool's parser out of it."""


@cache
def tool_parser(tool: str) -> argparse.ArgumentParser:
    """The parser of a tool, caught where the tool is about to use it."""
    spec = importlib.util.spec_from_file_location(tool.replace('/', '_')[:-3], ROOT / tool)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.MonkeyPatch.context() as patch:

        def seen(parser, *args, **kwargs):
            raise _ParserSeenError(parser)

        patch.setattr(argparse.ArgumentParser, 'parse_args', seen)
        with pytest.raises(_ParserSeenError) as caught:
            module.parse_args([]) if hasattr(module, 'parse_args') else module.main()
    return caught.value.args[0]


def with_files(words: list[str]) -> list[str]:
    """The words with the file of the tool instead of ``mmwsss SUBCOMMAND``."""
    if words[:1] != ['mmwsss'] or words[1:] == ['--help']:
        return words
    taken = 3 if words[1] in GROUPS.values() else 2
    tool = find_commands()[' '.join(words[1:taken])]
    return [tool.relative_to(ROOT).as_posix(), *words[taken:]]


def tool_commands() -> list[tuple[str, str, list[str]]]:
    """(page, tool, arguments) of every command line that runs a tool."""
    found = []
    for path in CURRENT:
        for line in commands(path):
            words = with_files(shlex.split(line, comments=True))
            tools = [i for i, word in enumerate(words) if word.startswith(('tools/', '.dev/'))]
            if tools and words[tools[0]].endswith('.py'):
                found.append((page_name(path), words[tools[0]], words[tools[0] + 1 :]))
    assert len(found) > 20
    return found


TOOL_COMMANDS = tool_commands()


def made_here(path: Path) -> set[str | None]:
    """The files whose text the page gives."""
    return {block.file for block in blocks(path, 'python')}


@pytest.mark.parametrize('path', CURRENT, ids=page_name)
def test_named_files_exist(path):
    files = set(
        re.findall(
            r'(?:\.dev|\b(?:tools|configs|examples|tests|benchmarks|mmwsss))/[\w./]+\.(?:py|sh)\b',
            read_page(path),
        )
    )
    missing = [
        name
        for name in sorted(files - made_here(path))
        if not READERS_FILES.fullmatch(name) and not (ROOT / name).is_file()
    ]
    assert not missing


@pytest.mark.parametrize('path', (ROOT / 'docs/methods').glob('*.md'), ids=page_name)
def test_each_method_has_a_picture(path):
    assert re.search(r'^!\[.+\]\(\.\./images/methods/\w+\.jpg\)$', read_page(path), re.MULTILINE)


@pytest.mark.parametrize('path', PAGES, ids=page_name)
def test_links_resolve(path):
    broken = []
    for target in re.findall(r'\]\(([^)\s]+)\)', prose(path)):
        if re.match(r'[a-z]+:', target):
            continue
        name, _, anchor = target.partition('#')
        page = (path.parent / name).resolve() if name else path
        if not page.exists() or (anchor and anchor not in anchors(page)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize(
    ('page', 'tool', 'arguments'), TOOL_COMMANDS, ids=[f'{p}:{t}' for p, t, _ in TOOL_COMMANDS]
)
def test_command_lines_are_what_the_tools_take(page, tool, arguments, capsys):
    parser = tool_parser(tool)
    try:
        args = parser.parse_args(arguments)
    except SystemExit as error:
        if not error.code:
            return  # --help
        pytest.fail(f'{page}: {tool} {" ".join(arguments)}: {capsys.readouterr().err}')
    config = getattr(args, 'config', None)
    if config and tool.endswith('run_pipeline.py'):
        read_pipeline(ROOT / config, args.cfg_options)
    elif config and not READERS_FILES.fullmatch(config) and config not in made_here(ROOT / page):
        options = args.cfg_options or {}
        cfg = load_config(ROOT / config, options)
        for key, value in options.items():
            node = cfg
            for part in key.split('.'):
                node = node[int(part)] if isinstance(node, list) else node.get(part)
            assert node == value


def test_options_in_the_text_belong_to_a_tool():
    scripts = [
        file for folder in ('tools', 'benchmarks', '.dev') for file in (ROOT / folder).rglob('*.py')
    ]
    files = [*scripts, ROOT / 'mmwsss' / 'utils' / 'cli.py']
    source = ''.join(file.read_text(encoding='utf-8') for file in files)
    known = set(re.findall(r"'(--[a-z][\w-]*)'", source))
    assert {'--cfg-options', '--trust-checkpoint'} <= known
    unknown = {
        (page_name(path), option)
        for path in PAGES
        for option in re.findall(r'(?<![\w-])--[a-z][\w-]*', prose(path))
        if option not in known | OTHER_OPTIONS
    }
    assert not unknown


@pytest.mark.parametrize('path', PAGES, ids=page_name)
def test_named_components_exist(path):
    source = ''.join(file.read_text(encoding='utf-8') for file in (ROOT / 'mmwsss').rglob('*.py'))
    ours = set(re.findall(r'^class (\w+)', source, re.MULTILINE))
    here = set(re.findall(r'^class (\w+)', read_page(path), re.MULTILINE))
    names = set(COMPONENT.findall(read_page(path))) | set(
        re.findall(r"type='(\w+)'", read_page(path))
    )
    unknown = [
        name
        for name in sorted(names - ours - here - BASES)
        if not any(registry.get(name) for registry in REGISTRIES)
    ]
    assert not unknown


@pytest.mark.parametrize('path', PAGES, ids=page_name)
def test_types_in_examples_are_registered_by_importing_the_package(path):
    text = '\n'.join(block.text for block in blocks(path, 'python'))
    here = set(re.findall(r'^class (\w+)', text, re.MULTILINE))
    unknown = [
        name
        for name in sorted(set(re.findall(r"type='(\w+)'", text)) - here)
        if not any(registry.get(name) for registry in REGISTRIES) and name not in REFINERS
    ]
    assert not unknown


@pytest.mark.parametrize('path', sorted((ROOT / 'docs/methods').glob('*.md')), ids=page_name)
def test_departures_have_four_columns(path):
    _, _, section = read_page(path).partition('# Departures\n')
    header = re.search(r'^\|.*\|$', section, re.MULTILINE)
    assert header
    assert header[0] == '| what | paper | released code | here |'


def test_every_file_of_initial_weights_is_on_the_page_of_weights():
    page = (ROOT / 'docs' / 'weights.md').read_text(encoding='utf-8')
    texts = [path.read_text(encoding='utf-8') for path in sorted((ROOT / 'configs').rglob('*.py'))]
    named = set(re.findall(r"^pretrained = \(?\s*'([^']+)'", '\n'.join(texts), re.MULTILINE))
    files = {name.rpartition('/')[2] for name in named if not name.startswith('work_dirs/')}
    assert len(files) == 16
    assert sorted(name for name in files if f'{name}`' not in page) == []
    assert not any(name.startswith('torchvision') for name in named)
