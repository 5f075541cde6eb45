#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the two pictures of the README, by gnuplot: copy.svg and accuracy.svg, into this folder or into --out.

  pictures.py                    both, measured by build/clnorm bench and build/tests/bench/bench_accuracy; some minutes
  pictures.py copy --csv F       of what 'clnorm bench --format csv --out F' has written
  pictures.py accuracy           with PyTorch's line where the Python that runs this has PyTorch, without it elsewhere

copy      what part of the same run's best copy each operation reaches, over shapes; by GB/s, counting each tensor once
accuracy  the largest error against float64 as the mean grows beside the deviation

The exit status is 77 where gnuplot is not there.
"""
import argparse
import csv
import io
import os
import shutil
import subprocess
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(FOLDER))
BLUE, ORANGE, GREEN, GREY, PURPLE, SKY = '#0072b2', '#d55e00', '#009e73', '#777777', '#aa4499', '#56b4e9'
SETS = 'resnet50-b32,mobilenet,features'
OPS = {'train': ('training, forward', BLUE, 7), 'infer': ('inference', GREEN, 5), 'backward': ('training, backward', ORANGE, 9)}
LINES = {'one pass in float32': ('E[x²] − mean² in float32', GREY, 1), 'oneDNN blocked': ('oneDNN {}, blocked', ORANGE, 9),
         'oneDNN': ('oneDNN {}, channels-first', ORANGE, 5), 'PyTorch channels-last': ('PyTorch {}, channels-last', PURPLE, 11),
         'PyTorch': ('PyTorch {}, channels-first', PURPLE, 13), 'CLNorm': ('CLNorm {}', BLUE, 7)}


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def draw(path, height, commands):
    script = f"""set terminal svg size 1000,{height} dynamic font 'sans-serif,13' background rgb 'white'
set output '{path}'
set border 3 lc rgb '#444444'
set tics nomirror out
set grid back lc rgb '#e0e0e0' lw 1 dt 1
""" + commands
    subprocess.run(['gnuplot'], input=script, check=True, text=True)
    print(path)


def block(name, rows):
    return f'${name} << EOD\n' + '\n'.join(rows) + '\nEOD\n'


# ---- the part of a copy ----

def shape_name(row):
    side = round(int(row['s']) ** 0.5)
    space = '' if row['s'] == '1' else f' x {side}²' if side * side == int(row['s']) else f' x {row["s"]}'
    return f'{row["n"]} x {row["c"]}{space}'


def draw_copy(text, path):
    rows = list(csv.DictReader(io.StringIO(text)))
    device = rows[0]['device']
    shapes = list(dict.fromkeys((row['set'], row['n'], row['c'], row['s']) for row in rows))
    commands, plots = '', []
    for layout in dict.fromkeys(row['layout'] for row in rows):
        key = layout.replace('-', '_')
        lines = []
        for op in OPS:
            name = f'{key}_{op}'
            commands += block(name, [f'{shapes.index((row["set"], row["n"], row["c"], row["s"]))} {row["percent"]}'
                                     for row in rows if row['layout'] == layout and row['op'] == op])
            title, colour, point = OPS[op]
            lines.append(f"${name} using 1:2 with points pt {point} ps 0.9 lc rgb '{colour}' title '{title}'")
        plots.append((layout, lines))
    tics = {index: shape_name(dict(zip(('set', 'n', 'c', 's'), shape))) for index, shape in enumerate(shapes)}
    commands += f"set xrange [-0.6:{len(shapes) - 0.4}]\nset yrange [0:130]\nset ytics 0,25 format '%g %%'\n"
    names = list(dict.fromkeys(shape[0] for shape in shapes))
    for name in names:
        indices = [index for index, shape in enumerate(shapes) if shape[0] == name]
        if indices[0]:
            commands += f"set arrow from {indices[0] - 0.5}, graph 0 to {indices[0] - 0.5}, graph 1 nohead lc rgb '#aaaaaa'\n"
        commands += f"set label '{name}' at {sum(indices) / len(indices)}, graph 1.05 center tc rgb '#444444'\n"
    commands += "set arrow from graph 0, first 100 to graph 1, first 100 nohead lc rgb '#444444' dt 2\n"
    commands += f"set multiplot title 'Part of the best copy of the same run ({device})'\n"
    for number, (layout, lines) in enumerate(plots):
        is_last = number == len(plots) - 1
        labels = ', '.join(f"'{label if is_last else ''}' {index}" for index, label in tics.items())
        top, bottom = (0.87, 0.58) if number == 0 else (0.49, 0.20)
        commands += f'set xtics rotate by 50 right ({labels})\nset lmargin at screen 0.085\nset rmargin at screen 0.985\n'
        commands += f'set tmargin at screen {top}\nset bmargin at screen {bottom}\n'
        commands += f"set ylabel '{layout}' offset 1\n"
        commands += 'unset key\n' if number else 'set key at screen 0.985, screen 0.945 right horizontal samplen 1 width 1\n'
        commands += 'plot ' + ', \\\n  '.join(lines) + '\n'
    draw(path, 600, commands + 'unset multiplot\n')


# ---- accuracy ----

def torch_rows(rows, path):
    """The same numbers through PyTorch; nothing where it is not there."""
    try:
        import torch
    except ImportError as error:
        print(f'pictures.py: without PyTorch, whose line is left out: {error}', file=sys.stderr)
        return []
    first = [row for row in rows if row['peer'] == 'CLNorm']
    n, c, s = (int(first[0][name]) for name in 'ncs')
    side = round(s ** 0.5)
    values = torch.from_file(path, shared=False, size=len(first) * n * c * s, dtype=torch.float32).reshape(len(first), n, c, side, side)
    results = []
    for row, x in zip(first, values):
        exact = x.double()
        mean = exact.mean((0, 2, 3), keepdim=True)
        right = (exact - mean) / ((exact - mean).pow(2).mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
        for name, order in (('PyTorch', torch.contiguous_format), ('PyTorch channels-last', torch.channels_last)):
            y = torch.nn.functional.batch_norm(x.contiguous(memory_format=order), None, None, training=True, eps=1e-5).double()
            error = ((y - right).abs() / right.abs().clamp(min=1)).max().item()
            results.append(dict(row, peer=name, version=torch.__version__, error=str(error)))
    return results


def draw_accuracy(rows, path):
    commands, lines = '', []
    for number, (peer, (title, colour, point)) in enumerate(LINES.items()):
        mine = [row for row in rows if row['peer'] == peer]
        if not mine:
            continue
        commands += block(f'line{number}', [f'{row["ratio"]} {row["error"]}' for row in mine])
        version = '.'.join(mine[0]['version'].split('+')[0].split('.')[:2])
        width = 3 if peer == 'CLNorm' else 1.5
        lines.append(f"$line{number} using 1:2 with linespoints lw {width} pt {point} pi 2 ps 0.8 lc rgb '{colour}' "
                     f"title '{title.format(version)}'")
    commands += """set logscale xy
set xrange [1:1e7]
set yrange [5e-8:100]
set format xy '10^{%T}'
set xlabel 'mean / deviation'
set ylabel 'largest error of an element, relative to max(1, |y|)'
set title 'Forward training against float64: tensor of 16 x 8 x 28 x 28, float32'
set key outside right center Left reverse samplen 3 spacing 1.3
set arrow from graph 0, first 1 to graph 1, first 1 nohead lc rgb '#777777' dt 2
"""
    draw(path, 460, commands + 'plot ' + ', \\\n  '.join(lines) + '\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('pictures', nargs='*', metavar='copy|accuracy')
    parser.add_argument('--out', metavar='FOLDER', default=FOLDER)
    parser.add_argument('--build', metavar='FOLDER', default=os.path.join(ROOT, 'build'))
    parser.add_argument('--csv', metavar='FILE', help="what 'clnorm bench --format csv' has written; default: runs it")
    options = parser.parse_args()
    if set(options.pictures) - {'copy', 'accuracy'}:
        parser.error('the pictures are copy and accuracy')
    if not shutil.which('gnuplot'):
        print('pictures.py: gnuplot is not there (package gnuplot-nox)', file=sys.stderr)
        return 77
    chosen = options.pictures or ['copy', 'accuracy']
    if 'copy' in chosen:
        if options.csv:
            with open(options.csv, encoding='utf-8') as file:
                text = file.read()
        else:
            text = run(os.path.join(options.build, 'clnorm'), 'bench', '--set', SETS, '--format', 'csv')
        draw_copy(text, os.path.join(options.out, 'copy.svg'))
    if 'accuracy' in chosen:
        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, 'data')
            text = run(os.path.join(options.build, 'tests', 'bench', 'bench_accuracy'), '--data', data)
            rows = list(csv.DictReader(io.StringIO(text)))
            rows += torch_rows(rows, data)
        draw_accuracy(rows, os.path.join(options.out, 'accuracy.svg'))
    return 0


if __name__ == '__main__':
    sys.exit(main())
