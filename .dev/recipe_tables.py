"""Make the tables of recipes in configs/*/README.md of the configs and of results/.

A row is a config: the first sentence of its comment, what was measured with it, and its command. Numbers are
those of docs/results.md, never typed. `--check` fails if a table is not what configs and summaries say.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from generated_pages import ROOT, check_parser, replace_part, write_or_check
from results_table import Runs, as_configured, read_runs, rows

HEADER = '| config | what | measured, mIoU % | command |\n|---|---|---|---|\n'
COMMANDS = (  # the first whose pattern is in the config's path
    (r'/pipelines/', 'run_pipeline.py {}'),
    (r'/test_sets/', 'test.py SEGMENTER CHECKPOINT --test-config {}'),
    (r'/clip_es/', 'make_maps.py {} WEIGHTS --out MAPS'),
    (r'_pseudo_crf\.py$', 'test.py {} CHECKPOINT'),
    (
        r'/(svm|par|segment_vote)/|/irn/.*_(labels|crf)\.py$',
        'make_masks.py {} --maps MAPS --out MASKS',
    ),
    (r'_pseudo\.py$|/size_balanced_(?!mobile)', 'train.py {} --cfg-options pseudo_mask_dir=MASKS'),
    (r'', 'train.py {}'),
)


def first_sentence(path: Path) -> str:
    """What a config's comment begins with.

    Raises:
        ValueError: It has no comment.
    """
    lines = re.match(r'(?:#.*\n)*', path.read_text(encoding='utf-8'))[0].splitlines()
    text = ' '.join(line.removeprefix('#').strip() for line in lines)
    if not text:
        raise ValueError(f'{path} must begin with a comment that says what it is')
    return re.split(r'(?<=[.:])\s+(?=[A-Z]|$)|:\s{2,}', text)[0].rstrip('.:')


def command(config: str) -> str:
    """The command line of a config, by the path of its file from the root."""
    return next(
        f'tools/{text.format(config)}' for p, text in COMMANDS if re.search(p, f'/{config}')
    )


def measured(config: str, runs: Runs) -> str:
    """The scores of the runs named after a config, else of the other run of most seeds, best as it is."""
    stem = Path(config).stem
    names = [stem, f'pipeline_{stem}']
    if stem.endswith('_pseudo'):
        names.append(f'{stem}_true-masks')
    named = [(name, row) for name in names for row in rows(runs.get(name, []))]
    scored = [(name, row) for name in runs for row in rows(runs[name]) if row.scored == config]
    same = [(name, row) for name, row in scored if all(map(as_configured, runs[name]))]
    found = named or same or scored
    runs_of_it = len({name for name, _ in found}.difference(names))
    most = max((len(row.scores) for _, row in found), default=0)
    found = named or [(name, row) for name, row in found if len(row.scores) == most]
    others = {name for name, _ in found}.difference(names)
    if len(others) > 1:
        return 'in ' + ', '.join(f'`results/{name}`' for name in sorted(others))
    texts = [
        f'{row.what}{" on true masks" * name.endswith("_true-masks")} {row.mean("mIoU")} ({len(row.scores)})'
        + '*' * any(score.protocol.uses_ground_truth for score in row.scores.values())
        for name, row in found
    ]
    where = [f'in `results/{name}`' for name in others] if runs_of_it > 1 else []
    return '<br>'.join([*texts, *where]) or 'not measured'


def table(folder: Path, root: Path, runs: Runs) -> str:
    """The rows of a folder, its ablations behind its recipes."""
    paths = [*sorted(folder.glob('*.py')), *sorted(folder.glob('ablations/*.py'))]
    lines = []
    for path in paths:
        config = path.relative_to(root).as_posix()
        name = path.relative_to(folder).as_posix()
        what, score = first_sentence(path), measured(config, runs)
        lines.append(f'| `{name}` | {what} | {score} | `{command(config)}` |')
    return HEADER + '\n'.join(lines)


def pages(root: Path = ROOT) -> dict[Path, str]:
    """The text of the README of every folder of configs that has one."""
    runs = read_runs(root / 'results')
    wanted = {}
    for page in sorted((root / 'configs').glob('*/README.md')):
        text, name = page.read_text(encoding='utf-8'), page.relative_to(root).as_posix()
        wanted[page] = replace_part(text, 'recipes', table(page.parent, root, runs), name)
    return wanted


def main() -> int:
    args = check_parser(__doc__).parse_args()
    try:
        wanted = pages()
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    return write_or_check(wanted, args.check, 'configs/ with results/')


if __name__ == '__main__':
    sys.exit(main())
