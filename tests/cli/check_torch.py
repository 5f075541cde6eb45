#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
`clnorm forward` and `clnorm backward` against PyTorch in float64: batch, instance, group and layer normalization and inference, with a
residual and a ReLU, of float32 and float16, in both layouts. The statistics' groups, the layouts and the gradients are thus what another
library means by those words.

    check_torch.py CLNORM        exits 77 where there is no PyTorch (package python3-torch)

dst is held to the contract's bound, 4e-7 max(1, |dst|, |scale| max(1, |xhat|)), and float16 to half a unit of its last place more; gradients to
2e-6 of the largest of their channel.
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy
    import torch
    import torch.nn.functional as F
except ImportError as error:
    debian = '/usr/bin/python3'  # Debian's package is for Debian's Python, which may not be the first one
    if os.path.realpath(sys.executable) != os.path.realpath(debian) and os.path.exists(debian):
        os.execv(debian, [debian, *sys.argv])
    print(f'there is no PyTorch: {error} (package python3-torch)')
    sys.exit(77)

EPSILON = 1e-5
KINDS = ('batch', 'instance', 'group', 'layer', 'infer')


def normalize(kind, x, scale, shift, mean, variance):
    if kind == 'batch':
        return F.batch_norm(x, None, None, scale, shift, True, 0.0, EPSILON)
    if kind == 'infer':
        return F.batch_norm(x, mean, variance, scale, shift, False, 0.0, EPSILON)
    if kind == 'instance':
        return F.instance_norm(x, None, None, scale, shift, True, 0.0, EPSILON)
    return F.group_norm(x, 4 if kind == 'group' else 1, scale, shift, EPSILON)


def grouping(kind, channels):
    if kind == 'instance':
        return ['--group-samples', '1']
    if kind in ('group', 'layer'):
        return ['--group-samples', '1', '--group-channels', str(channels // 4 if kind == 'group' else channels)]
    return []


class Case:
    """A kind of normalization, a type and a layout; files of a tool's run lie in a folder."""

    def __init__(self, tool, folder, kind, kept, is_last):
        self.tool, self.folder, self.kind, self.kept, self.is_last = tool, folder, kind, kept, is_last
        random = numpy.random.RandomState(7)
        shape = (5, 12, 9, 7)

        def drawn(*sizes, typed=False):
            return random.standard_normal(sizes).astype(kept if typed else numpy.float32)

        self.x = (drawn(*shape) * 3 + 20).astype(kept)
        self.residual, self.dy = drawn(*shape, typed=True), drawn(*shape, typed=True)
        self.scale, self.shift, self.mean = 1 + drawn(12) / 4, drawn(12), 20 + drawn(12)
        self.variance = 5 + numpy.abs(drawn(12))

    def write(self, name, array):
        if array.ndim == 4 and self.is_last:
            array = numpy.ascontiguousarray(numpy.moveaxis(array, 1, -1))
        numpy.save(os.path.join(self.folder, name), array)

    def read(self, name):
        array = numpy.load(os.path.join(self.folder, name)).astype(numpy.float64)
        return numpy.moveaxis(array, -1, 1) if array.ndim == 4 and self.is_last else array

    def run(self, command, *arguments):
        given = [] if self.kind != 'infer' else ['--mode', 'infer', '--mean', 'mean.npy', '--var', 'var.npy']
        layout = ['--layout', 'channels-last' if self.is_last else 'channels-first']
        done = subprocess.run([self.tool, command, *layout, *given, *grouping(self.kind, 12), *arguments], cwd=self.folder,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)

    def compare(self, what, seen, wanted, allowed):
        excess = numpy.max(numpy.abs(seen - wanted) / allowed)
        if not excess <= 1:
            raise RuntimeError(f'{what} is off by {excess:.3g} times what is allowed')
        return excess

    def check(self):
        wide = [torch.tensor(a.astype(numpy.float64), requires_grad=True) for a in (self.x, self.scale, self.shift, self.residual)]
        x, scale, shift, residual = wide
        mean, variance = (torch.tensor(a.astype(numpy.float64)) for a in (self.mean, self.variance))
        plain = normalize(self.kind, x, scale, shift, mean, variance)
        before = plain + residual
        y = torch.relu(before)
        # Where a value is so near 0 that rounding decides, no gradient is asked for.
        self.dy[numpy.abs(before.detach().numpy()) < 1e-4] = 0
        y.backward(torch.tensor(self.dy.astype(numpy.float64)))
        for name, array in (('x', self.x), ('r', self.residual), ('dy', self.dy), ('scale', self.scale), ('shift', self.shift),
                            ('mean', self.mean), ('var', self.variance)):
            self.write(name, array)
        self.run('forward', '--in', 'x.npy', '--out', 'y.npy', '--residual', 'r.npy', '--activation', 'relu', '--scale', 'scale.npy',
                 '--shift', 'shift.npy')
        self.run('backward', '--in', 'x.npy', '--grad-out', 'dy.npy', '--dst', 'y.npy', '--activation', 'relu', '--scale', 'scale.npy',
                 '--grad-in', 'dx.npy', '--grad-scale', 'dscale.npy', '--grad-shift', 'dshift.npy', '--grad-residual', 'dr.npy')
        one = (1, 12, 1, 1)
        xhat = numpy.abs((plain - shift.reshape(one)).detach().numpy())  # times |scale|
        size = numpy.maximum(numpy.maximum(1, numpy.abs(y.detach().numpy())), numpy.maximum(xhat, numpy.abs(self.scale).reshape(one)))

        def rounded(wanted):
            return 0 if self.kept == numpy.float32 else numpy.maximum(numpy.abs(wanted), 2.0 ** -14) * 2.0 ** -11

        worst = [self.compare('y', self.read('y.npy'), y.detach().numpy(), 4e-7 * size + rounded(y.detach().numpy()))]
        for name, tensor in (('dx', x), ('dr', residual)):
            wanted = tensor.grad.numpy()
            allowed = 2e-6 * numpy.max(numpy.abs(wanted), axis=(0, 2, 3), keepdims=True) + rounded(wanted)
            worst.append(self.compare(name, self.read(name + '.npy'), wanted, allowed))
        for name, tensor in (('dscale', scale), ('dshift', shift)):
            wanted = tensor.grad.numpy()
            worst.append(self.compare(name, self.read(name + '.npy'), wanted, 2e-6 * numpy.max(numpy.abs(wanted))))
        return max(worst)


def main(tool):
    failed = count = 0
    torch.set_num_threads(1)
    for kind in KINDS:
        for kept in (numpy.float32, numpy.float16):
            is_last = count % 3 == 1
            name = f"{kind}, {numpy.dtype(kept).name}, {'channels-last' if is_last else 'channels-first'}"
            count += 1
            with tempfile.TemporaryDirectory() as folder:
                try:
                    print(f'{name}: at most {Case(tool, folder, kind, kept, is_last).check():.2f} of what is allowed')
                except RuntimeError as error:
                    failed += 1
                    print(f'{name}: FAILED: {error}')
    print(f'{count} compared with PyTorch {torch.__version__}, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
