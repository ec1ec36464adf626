"""Make the curve and the table of docs/reduced_data.md from the run summaries in results/.

The numbers are never typed: a point is one seed of `results/<run>/seed*.json` (`make bench-studies`). Each
point has its own seeds; what is left at it is of the same ones. `--check` fails if the table is not what
the summaries say.
"""

from __future__ import annotations

import re
import statistics
import sys
from fractions import Fraction
from pathlib import Path

from generated_pages import ROOT, check_parser, write_or_check
from results_table import BEST, LOCALIZERS, Entry, Runs, find, read_runs, spread

PAGE, FIGURE = ROOT / 'docs/reduced_data.md', ROOT / 'docs/images/reduced_data.png'
TABLE = re.compile(r'<!-- reduced data -->\n(?:.*?<!-- /reduced data -->\n)?', re.DOTALL)
METHODS = {
    'CAM': Entry('cam_lite2_voc12part', BEST),
    'SIPE': Entry('sipe_lite2_voc12part', BEST),
    'RPNet': Entry(LOCALIZERS, f'{BEST} (rpnet_maps)'),
}
FRACTIONS = (Fraction(1), Fraction(1, 4), Fraction(1, 16))
CAPTION = 'mIoU of the maps against the fraction of training images'
# Method -> fraction -> mIoU in % of each seed.
Curves = dict[str, dict[Fraction, dict[int, float]]]


def entry(method: str, fraction: Fraction) -> Entry:
    """The run, and what of it counts."""
    if fraction == 1:
        return METHODS[method]
    part = f'{fraction.numerator}of{fraction.denominator}'
    return Entry(f'{method.lower()}_lite2_voc12part_{part}', BEST)


def read_curves(results: Path) -> Curves:
    """Scores of the methods that have a run at every fraction."""
    runs, curves = read_runs(results), {}
    for method in METHODS:
        curve = {f: scores_of(runs, entry(method, f)) for f in FRACTIONS}
        if all(curve.values()):
            curves[method] = curve
    return curves


def scores_of(runs: Runs, named: Entry) -> dict[int, float]:
    """Seed -> mIoU in % of a run, if there is one."""
    return find(runs, named).values('mIoU') if named.run in runs else {}


def table(curves: Curves) -> str:
    """Rows of mean and spread, and how much is left of the same seeds' full score."""
    if not curves:
        return 'No runs are stored yet.'
    names = ['all images' if f == 1 else f'{f}' for f in FRACTIONS]
    lost = [f'left at {f}' for f in FRACTIONS[1:]]
    lines = [
        '| ' + ' | '.join(['method', 'seeds', *names, *lost]) + ' |',
        '|---' * (2 + len(names) + len(lost)) + '|',
    ]
    for method, curve in curves.items():
        full = curve[FRACTIONS[0]]
        left = [
            sum(score for seed, score in curve[f].items() if seed in full)
            / sum(score for seed, score in full.items() if seed in curve[f])
            for f in FRACTIONS[1:]
        ]
        lines.append(
            '| '
            + ' | '.join(
                [
                    method,
                    ', '.join(str(len(curve[f])) for f in FRACTIONS),
                    *(spread(list(curve[f].values())) for f in FRACTIONS),
                    *(f'{100 * part:.0f} %' for part in left),
                ]
            )
            + ' |'
        )
    return '\n'.join(lines)


def page_with_table(text: str, curves: Curves) -> str:
    """The page with the table and the figure behind its marker replaced.

    Raises:
        ValueError: The marker is missing.
    """
    if not TABLE.search(text):
        raise ValueError(f'{PAGE.name} must hold the marker <!-- reduced data -->')
    shown = f'\n\n![{CAPTION}](images/{FIGURE.name})' if curves else ''
    body = f'<!-- reduced data -->\n{table(curves)}{shown}\n<!-- /reduced data -->\n'
    return TABLE.sub(lambda _: body, text)


def draw(curves: Curves, path: Path) -> None:
    """Draw the mean of each method as a line, and every seed as a dot."""
    import matplotlib as mpl

    mpl.use('Agg')
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.5, 3.6), layout='constrained')
    for (method, curve), marker in zip(curves.items(), 'os^'):
        places = range(len(FRACTIONS))
        means = [statistics.mean(curve[f].values()) for f in FRACTIONS]
        (line,) = axes.plot(places, means, label=method)
        for place, fraction in zip(places, FRACTIONS):
            values = list(curve[fraction].values())
            axes.plot([place] * len(values), values, marker, color=line.get_color(), ms=5)
    axes.set_xticks(range(len(FRACTIONS)), [str(f) for f in FRACTIONS])
    axes.set_xlabel('fraction of the training images of each class')
    axes.set_ylabel('mIoU of the maps, best threshold (%)')
    axes.set_title('VOC, EfficientNet-Lite2, 362 iterations; dots: seeds, lines: means', fontsize=9)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110, metadata={'Software': None})
    pyplot.close(figure)


def main() -> int:
    args = check_parser(__doc__).parse_args()
    curves = read_curves(ROOT / 'results')
    wanted = page_with_table(PAGE.read_text('utf-8'), curves)
    code = write_or_check({PAGE: wanted}, args.check, 'results/')
    if curves and not args.check:
        draw(curves, FIGURE)
        print(f'wrote {FIGURE.relative_to(ROOT)}')
    return code


if __name__ == '__main__':
    sys.exit(main())
