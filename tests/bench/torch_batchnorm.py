#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times PyTorch's own batch normalization, as CSV with the columns of bench_alone.

  torch_batchnorm.py --set resnet50-b32 --op train --layout nhwc
  torch_batchnorm.py --device cuda --op train,infer,backward
  echo 'train nhwc 32 256 56x56' | torch_batchnorm.py --serve

train     torch.nn.functional.batch_norm(training=True) with weight, bias and running statistics
infer     the same with training=False
backward  what autograd calls for it, with all three gradients: native_batch_norm_backward; on a GPU cuDNN's or MIOpen's
          where PyTorch itself would take them

nchw is a contiguous tensor, nhwc one in the channels_last memory format; where S is 1 the tensor is (N, C), and the two
are the same. GB/s count one read and one write of the tensor, for backward two reads and one write.

On a processor, calls run one after another and the clock is the wall's. PyTorch makes a new tensor for each result, and
glibc fetches one of more than 32 MiB from the system anew each time, page by page, which can take longer than the batch
normalization. With --malloc keep glibc keeps what was freed, so that the operation itself is timed: the stricter
yardstick. With --malloc default it does as it does for anybody's PyTorch. OpenMP gets what bench_alone gives it.
On a GPU, CUDA's events stand before and after each call, behind a call that does not count, so that the GPU has
work while the host prepares: what is timed is the GPU's time. The host then waits for it, every time.

--serve reads requests 'OP LAYOUT N C S' from standard input, and answers each with one line of CSV, flushed: one call
that does not count, then one that does. Consecutive requests for the same problem share its tensors. A request that
cannot be done is answered by 'error,' and the reason.

The exit status is 77 where PyTorch, or the GPU that --device cuda asks for, is not there.
"""
import argparse
import ctypes
import os
import statistics
import sys
import time

SKIPPED = 77
SHAPES = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'shapes.csv')
SHAPES_HEAD = 'set,n,c,spatial'
HEAD = 'peer,version,op,layout,set,n,c,s,median_seconds,min_seconds,gbps'
OPS = ('train', 'infer', 'backward')
LAYOUTS = ('nchw', 'nhwc')
EPSILON = 1e-5
MOMENTUM = 0.1


# ---- shapes and options: compare_torch.py uses them as well ----

class Shape:
    """n, c and 'spatial', the text of S: '3136', '56x56' or '32x64x64'."""

    def __init__(self, group, n, c, spatial):
        self.set, self.n, self.c, self.spatial = group, int(n), int(c), spatial
        self.sizes = [int(size) for size in spatial.split('x')]
        if min([self.n, self.c] + self.sizes) < 1 or len(self.sizes) > 3:
            raise ValueError('sizes are at least 1, and S has one to three')
        self.s = 1
        for size in self.sizes:
            self.s *= size

    def elements(self):
        return self.n * self.c * self.s


def read_shape(text):
    """'N,C,S' of the command line."""
    try:
        n, c, spatial = text.split(',')
        return Shape('command-line', n, c, spatial)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'not a shape N,C,S: {text!r}') from error


def read_shapes(path, sets):
    """The shapes of a file like shapes.csv, of all its sets or of those named."""
    shapes = []
    with open(path, encoding='utf-8') as file:
        lines = file.read().splitlines()
    if not lines or not lines[0].startswith(SHAPES_HEAD):
        raise ValueError(f"{path}: expected a first line '{SHAPES_HEAD},times_in_net'")
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        try:
            group, n, c, spatial = line.split(',')[:4]
            shape = Shape(group, n, c, spatial)
        except ValueError as error:
            raise ValueError(f'{path}, line {number}: not a shape: {line!r}') from error
        if not sets or shape.set in sets:
            shapes.append(shape)
    for name in sets or []:
        if name not in {shape.set for shape in shapes}:
            raise ValueError(f'{path}: no set {name!r}')
    return shapes


def names_of(choices):
    def read(text):
        names = text.split(',')
        for name in names:
            if name not in choices:
                raise argparse.ArgumentTypeError(f'{name!r} is not one of {", ".join(choices)}')
        return [choice for choice in choices if choice in names]
    return read


def positive(text):
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number, 1 or more, got {text!r}')
    return number


def add_problem_options(parser):
    parser.add_argument('--shapes', metavar='FILE', default=SHAPES, help='columns set,n,c,spatial,times_in_net')
    parser.add_argument('--set', metavar='NAMES', type=lambda text: text.split(','), help='only these sets of the file')
    parser.add_argument('--shape', metavar='N,C,S', type=read_shape, action='append',
                        help="this shape instead of the file's; S like 3136, 56x56 or 32x64x64; repeatable")
    parser.add_argument('--op', metavar='NAMES', type=names_of(OPS), default=list(OPS), help='of train,infer,backward')
    parser.add_argument('--layout', metavar='NAMES', type=names_of(LAYOUTS), default=list(LAYOUTS), help='of nchw,nhwc')
    parser.add_argument('--threads', metavar='T', type=positive, help='default: the processors this process may use')
    parser.add_argument('--malloc', choices=('keep', 'default'), default='keep',
                        help="what becomes of PyTorch's freed memory; see above (default: keep)")


def shapes_of(options):
    return options.shape or read_shapes(options.shapes, options.set)


def gbps(op, elements, seconds):
    return (3 if op == 'backward' else 2) * 4 * elements / seconds * 1e-9


def processors():
    return sorted(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else list(range(os.cpu_count() or 1))


# ---- PyTorch ----

def keep_freed_memory():
    """glibc's M_MMAP_MAX = 0 and M_TRIM_THRESHOLD = -1; other C libraries have no such call."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(-4, 0)
    mallopt(-1, -1)


def load_torch(threads, device, malloc):
    """Imports PyTorch, after the settings that its runtime reads when it is loaded."""
    os.environ['OMP_NUM_THREADS'] = str(threads)
    for name, value in (('OMP_PROC_BIND', 'true'), ('GOMP_SPINCOUNT', '100000'), ('KMP_BLOCKTIME', '5')):
        os.environ.setdefault(name, value)
    if device == 'cpu' and malloc == 'keep':
        keep_freed_memory()
    try:
        import torch
    except ImportError as error:
        skip(f'PyTorch is not to be had from {sys.executable} ({error}): install the package python3-torch, or the '
             'wheel torch, or name another Python')
    if device == 'cuda' and not torch.cuda.is_available():
        skip(f'PyTorch {torch.__version__} finds no GPU here: its torch.cuda.is_available() says no')
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    return torch


def skip(reason):
    print(f'torch_batchnorm.py: {reason}', file=sys.stderr)
    sys.exit(SKIPPED)


class Problem:
    """One operation on one shape, set up and ready to be called."""

    def __init__(self, torch, op, layout, shape, device):
        self.torch, self.device = torch, device
        sizes = list(shape.sizes)
        if shape.s == 1:
            sizes = []
        elif len(sizes) == 1:
            sizes = [1] + sizes  # channels_last is for four sizes or five
        order = torch.contiguous_format
        if layout == 'nhwc' and sizes:
            order = torch.channels_last_3d if len(sizes) == 3 else torch.channels_last
        x = torch.empty([shape.n, shape.c] + sizes, device=device, memory_format=order).normal_()
        channel = torch.arange(shape.c, device=device)
        weight = 1 + 0.01 * (channel % 17)
        bias = 0.02 * (channel % 13) - 0.1
        mean = 0.01 * (channel % 11) - 0.05
        variance = 0.9 + 0.02 * (channel % 7)
        if op == 'backward':
            dy = torch.empty_like(x).normal_()
            self.call = self.backward(x, dy, weight, bias, mean, variance)
        else:
            batch_norm, training = torch.nn.functional.batch_norm, op == 'train'
            self.call = lambda: batch_norm(x, mean, variance, weight, bias, training, MOMENTUM, EPSILON)
        self.synchronize()

    def backward(self, x, dy, weight, bias, mean, variance):
        aten, wanted = self.torch.ops.aten, [True, True, True]
        if self.device == 'cuda' and hasattr(aten, '_batch_norm_impl_index'):
            # PyTorch's own choice of native, cuDNN or MIOpen is in 'kind'.
            _, saved, spread, reserve, kind = aten._batch_norm_impl_index(
                x, weight, bias, mean, variance, True, MOMENTUM, EPSILON, self.torch.backends.cudnn.enabled)
            return lambda: aten._batch_norm_impl_index_backward(
                kind, x, dy, weight, mean, variance, saved, spread, True, EPSILON, wanted, reserve)
        _, saved, invstd = aten.native_batch_norm(x, weight, bias, mean, variance, True, MOMENTUM, EPSILON)
        return lambda: aten.native_batch_norm_backward(
            dy, x, weight, mean, variance, saved, invstd, True, EPSILON, wanted)

    def synchronize(self):
        if self.device == 'cuda':
            self.torch.cuda.synchronize()

    def timed(self):
        """Seconds of one call, which is finished on return."""
        if self.device == 'cpu':
            start = time.perf_counter()
            result = self.call()
            seconds = time.perf_counter() - start
            del result
            return seconds
        start, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        self.call()
        start.record()
        self.call()
        end.record()
        end.synchronize()
        return 1e-3 * start.elapsed_time(end)

    def race(self, runs):
        """Times of 'runs' calls; without a number 11 to 101, about half a second. The first tenth does not count."""
        start, count = time.perf_counter(), 0
        while count < 2 or (count < 50 and time.perf_counter() - start < 0.1):
            self.timed()
            count += 1
        times, start = [], time.perf_counter()
        while len(times) < (runs or 101) and (runs or len(times) < 11 or time.perf_counter() - start < 0.6):
            times.append(self.timed())
        return times


def csv_line(torch, op, layout, shape, times):
    middle = statistics.median(times)
    return (f'pytorch,{torch.__version__},{op},{layout},{shape.set},{shape.n},{shape.c},{shape.s},'
            f'{middle:.9f},{min(times):.9f},{gbps(op, shape.elements(), middle):.2f}')


def serve(torch, device):
    current, problem = None, None
    for line in sys.stdin:
        try:
            if line.split() != current:
                problem, current = None, None  # frees the one before first
                words = line.split()
                if len(words) != 5 or words[0] not in OPS or words[1] not in LAYOUTS:
                    raise ValueError('expected OP LAYOUT N C S')
                op, layout, n, c, spatial = words
                shape = Shape('request', n, c, spatial)
                problem = Problem(torch, op, layout, shape, device)
                current = words
            if device == 'cpu':
                problem.timed()
            answer = csv_line(torch, op, layout, shape, [problem.timed()])
        except (ValueError, RuntimeError) as error:
            problem, current = None, None
            answer = 'error,' + ' '.join(str(error).split())
        print(answer, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_problem_options(parser)
    parser.add_argument('--runs', metavar='R', type=positive, help='timed calls (default: 11 to 101, half a second)')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument('--serve', action='store_true', help='answer requests from standard input')
    options = parser.parse_args()
    try:
        shapes = [] if options.serve else shapes_of(options)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    torch = load_torch(options.threads or len(processors()), options.device, options.malloc)
    if options.serve:
        serve(torch, options.device)
        return
    print(HEAD)
    for shape in shapes:
        for op in options.op:
            for layout in options.layout:
                times = Problem(torch, op, layout, shape, options.device).race(options.runs)
                print(csv_line(torch, op, layout, shape, times), flush=True)


if __name__ == '__main__':
    main()
