#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times CLNorm and PyTorch in turn on the same cores, and prints the ratio for each shape.

  compare_torch.py --set resnet50-b32,mobilenet,features
  compare_torch.py --table OURS.csv [THEIRS.csv]      only puts together what was measured elsewhere: gpu.sh does so

A ratio above 1 says that CLNorm is the faster. Below the table are geometric means for each set and operation, and over
all shapes. Exit status 77: PyTorch is not there.

What makes it fair
- Turns A B A B ...: for each shape, operation and layout a round is a turn of CLNorm's and a turn of PyTorch's, so that
  whatever happens to the machine happens to both. The time of a turn is its median, the result the median of the rounds
  (3 or more), and the ratio that of the two results.
- Each is measured alone. CLNorm's turn is a process of its own, bench_alone, gone before PyTorch's begins. PyTorch
  takes seconds to import, so that its process stays (torch_batchnorm.py --serve); between its turns it waits for input,
  and its threads sleep after some milliseconds of spinning at most, while bench_alone is still starting.
- The same cores and as many threads: this script binds itself, and with it both, to --cpus.
- The same conditions: as many timed calls, each right after another one of the same kind; before them calls that do not
  count, 2 to 50 of them or a tenth of a second, so that neither pays for compiling, first pages or low clocks.
- The same data: normal deviates, epsilon 1e-5, scale and shift given. Both save what backward needs; PyTorch updates
  running statistics besides, which are C numbers.
- PyTorch returns a new tensor where CLNorm writes to the one it is given. With --malloc keep that costs it no fresh
  pages. With --malloc default it does for large tensors, as in anybody's program, and their ratios are several times
  higher.
"""
import argparse
import csv
import math
import os
import statistics
import subprocess
import sys
import time

import torch_batchnorm as theirs

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(FOLDER))
OUR_LAYOUTS = {'channels-first': 'nchw', 'channels-last': 'nhwc'}
PAUSE = 0.02  # seconds between two turns


class Failure(Exception):
    pass


def geometric_mean(values):
    return math.exp(sum(math.log(value) for value in values) / len(values))


# ---- the two sides ----

class Torch:
    """torch_batchnorm.py --serve."""

    def __init__(self, python, threads, malloc):
        self.process = subprocess.Popen(
            [python, os.path.join(FOLDER, 'torch_batchnorm.py'), '--serve', '--threads', str(threads),
             '--malloc', malloc],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.version = None

    def ask(self, request):
        try:
            self.process.stdin.write(request + '\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline().strip()
        if not answer:  # it has said why
            status = self.process.wait()
            sys.exit(theirs.SKIPPED if status == theirs.SKIPPED else 1)
        if answer.startswith('error,'):
            raise Failure(f'PyTorch: {request}: {answer[len("error,"):]}')
        fields = answer.split(',')
        self.version = fields[1]
        return float(fields[8])

    def turn(self, shape, op, layout, runs):
        request = f'{op} {layout} {shape.n} {shape.c} {shape.spatial}'
        self.ask(request)  # makes the tensors
        start, count = time.perf_counter(), 0
        while count < 2 or (count < 50 and time.perf_counter() - start < 0.1):
            self.ask(request)
            count += 1
        return statistics.median(self.ask(request) for _ in range(runs))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class CLNorm:
    """bench_alone --peer clnorm."""

    def __init__(self, path, threads, device):
        self.command = [path, '--peer', 'clnorm', '--threads', str(threads)]
        if device:
            self.command += ['--device', device]
        self.version = None

    def turn(self, shape, op, layout, runs):
        command = self.command + ['--shape', f'{shape.n},{shape.c},{shape.spatial}', '--op', op, '--layout', layout,
                                  '--runs', str(runs)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        lines = done.stdout.splitlines()
        if done.returncode != 0 or len(lines) != 2 or lines[0] != theirs.HEAD:
            raise Failure(f'{" ".join(command)}: exit status {done.returncode}, and no line of times')
        fields = lines[1].split(',')
        self.version = fields[1]
        return float(fields[8])


# ---- measuring ----

def print_summary(lines, prefix):
    """'lines': (set, op, layout, ratio) of each measurement."""
    print(f'{prefix}\n{prefix}geometric means: set, op, layout, shapes, ratio, worst ratio')
    sets = list(dict.fromkeys(line[0] for line in lines))
    for group in sets + (['all'] if len(sets) > 1 else []):
        for op in theirs.OPS:
            for layout in theirs.LAYOUTS:
                ratios = [line[3] for line in lines if line[1:3] == (op, layout) and group in ('all', line[0])]
                if ratios:
                    print(f'{prefix}{group:<13} {op:<8} {layout:<5} {len(ratios):4} {geometric_mean(ratios):7.2f} '
                          f'{min(ratios):7.2f}')


def measure(options, shapes, ours, torch):
    torch.ask('infer nchw 1 1 1')  # before the table begins: PyTorch may not be there
    if options.csv:
        print('set,n,c,s,op,layout,clnorm_seconds,pytorch_seconds,clnorm_gbps,pytorch_gbps,ratio')
    else:
        print(f'{"set":<13} {"n,c,s":<18} {"op":<8} layout {"clnorm ms":>10} {"pytorch ms":>10} {"GB/s":>7} '
              f'{"GB/s":>7} {"ratio":>6}')
    lines = []
    for shape in shapes:
        for op in options.op:
            for layout in options.layout:
                turns = []
                for _ in range(options.rounds):
                    pair = []
                    for side in (ours, torch):
                        time.sleep(PAUSE)
                        pair.append(side.turn(shape, op, layout, options.runs))
                    turns.append(pair)
                a, b = (statistics.median(side) for side in zip(*turns))
                speeds = [theirs.gbps(op, shape.elements(), seconds) for seconds in (a, b)]
                lines.append((shape.set, op, layout, b / a))
                sizes = f'{shape.n},{shape.c},{shape.s}'
                if options.csv:
                    print(f'{shape.set},{sizes},{op},{layout},{a:.9f},{b:.9f},{speeds[0]:.2f},{speeds[1]:.2f},'
                          f'{b / a:.3f}', flush=True)
                else:
                    print(f'{shape.set:<13} {sizes:<18} {op:<8} {layout:<6} {1e3 * a:10.4f} {1e3 * b:10.4f} '
                          f'{speeds[0]:7.2f} {speeds[1]:7.2f} {b / a:6.2f}', flush=True)
    prefix = '# ' if options.csv else ''
    print_summary(lines, prefix)
    print(f'{prefix}clnorm {ours.version}, PyTorch {torch.version}; {options.rounds} rounds of {options.runs} runs '
          f'each, malloc {options.malloc}, processors {",".join(str(cpu) for cpu in options.cpus)}')


# ---- a table of what was measured elsewhere ----

def read_csv(path, wanted):
    with open(path, encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    if not rows or not set(wanted) <= set(rows[0]):
        raise Failure(f'{path}: expected lines with the columns {", ".join(wanted)}')
    return rows


def our_time(row):
    """Milliseconds and percent of the copy, by the device's clock where it has one, else by the wall's."""
    clock = 'device' if row['device_ms'] and row['device_percent'] else 'wall'
    percent = float(row['device_percent' if clock == 'device' else 'percent'])
    # 'clnorm bench' counts each tensor once; training reads the source twice.
    return clock, float(row[clock + '_ms']), percent * 1.5 if row['op'] == 'train' else percent


def print_table(path, path_of_theirs):
    """'path' is from clnorm bench --format csv, 'path_of_theirs' from torch_batchnorm.py."""
    rows = read_csv(path, ('set', 'n', 'c', 's', 'layout', 'op', 'wall_ms', 'device_ms', 'percent', 'device_percent'))
    others = {}
    if path_of_theirs:
        for row in read_csv(path_of_theirs, theirs.HEAD.split(',')):
            others[row['n'], row['c'], row['s'], row['op'], row['layout']] = 1e3 * float(row['median_seconds'])
    print(f'{"set":<13} {"n,c,s":<18} {"op":<8} layout {"clnorm ms":>10} clock  {"%copy":>6} {"pytorch ms":>10} '
          f'{"ratio":>6}')
    lines, percents = [], {}
    for row in rows:
        layout, sizes = OUR_LAYOUTS[row['layout']], (row['n'], row['c'], row['s'])
        clock, milliseconds, percent = our_time(row)
        other = others.get(sizes + (row['op'], layout))
        ratio = f'{other / milliseconds:6.2f}' if other else f'{"-":>6}'
        print(f'{row["set"]:<13} {",".join(sizes):<18} {row["op"]:<8} {layout:<6} {milliseconds:10.4f} {clock:<6} '
              f'{percent:6.1f} {f"{other:10.4f}" if other else "-":>10} {ratio}')
        percents.setdefault((row['set'], row['op'], layout), []).append(percent)
        if other:
            lines.append((row['set'], row['op'], layout, other / milliseconds))
    print('\n%copy: of the best copy of the same run, counting three transfers for train (x twice, y), two for infer, '
          'three for backward\n\ngeometric means: set, op, layout, shapes, %copy, worst %copy')
    for (group, op, layout), values in percents.items():
        print(f'{group:<13} {op:<8} {layout:<5} {len(values):4} {geometric_mean(values):7.1f} {min(values):7.1f}')
    if lines:
        print_summary(lines, '')


def at_least_three(text):
    rounds = theirs.positive(text)
    if rounds < 3:
        raise argparse.ArgumentTypeError('expected 3 or more')
    return rounds


def cpus(text):
    try:
        chosen = sorted({int(cpu) for cpu in text.split(',')})
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'expected numbers and commas, got {text!r}') from error
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    theirs.add_problem_options(parser)
    parser.add_argument('--runs', metavar='R', type=theirs.positive, default=11,
                        help='timed calls of a turn (default: 11)')
    parser.add_argument('--rounds', metavar='R', type=at_least_three, default=3, help='turns of each (default: 3)')
    parser.add_argument('--cpus', metavar='LIST', type=cpus, default=theirs.processors(),
                        help='processors for both, as 0,1 (default: all that this process may use)')
    parser.add_argument('--bench-alone', metavar='PATH', default=os.path.join(ROOT, 'build/tests/bench/bench_alone'))
    parser.add_argument('--python', metavar='PATH', default=sys.executable, help='the Python that has PyTorch')
    parser.add_argument('--device', metavar='D', help='OpenCL device, as in CLNORM_DEVICE')
    parser.add_argument('--csv', action='store_true', help='CSV instead of a table')
    parser.add_argument('--table', metavar='FILE', nargs='+', help="clnorm bench's CSV and torch_batchnorm.py's")
    options = parser.parse_args()
    try:
        if options.table:
            if len(options.table) > 2:
                parser.error('--table: expected one file or two')
            print_table(*(options.table + [None])[:2])
            return
        shapes = theirs.shapes_of(options)
        if not os.access(options.bench_alone, os.X_OK):
            raise Failure(f'{options.bench_alone} is not there: build first, or name it with --bench-alone')
        if hasattr(os, 'sched_setaffinity'):
            try:
                os.sched_setaffinity(0, options.cpus)
            except OSError as error:
                raise Failure(f'--cpus: this process may not use {options.cpus}') from error
        threads = options.threads or len(options.cpus)
        torch = Torch(options.python, threads, options.malloc)
        measure(options, shapes, CLNorm(options.bench_alone, threads, options.device), torch)
        torch.close()
    except (Failure, OSError, ValueError) as error:
        sys.exit(f'compare_torch.py: {error}')


if __name__ == '__main__':
    main()
