#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CLNorm on PyOpenCL's context, queue and buffers, by ctypes; the numbers are compared with NumPy's float64.

The environment variable CLNORM_LIBRARY names libclnorm.so where it is not installed. Exit status 77: no PyOpenCL here.
"""
import ctypes
import ctypes.util
import os
import sys

try:
    import numpy as np
    import pyopencl as cl
except ImportError as error:
    print(f'no PyOpenCL with NumPy (python3-pyopencl, python3-numpy): {error}')
    sys.exit(77)

library = ctypes.CDLL(os.environ.get('CLNORM_LIBRARY') or ctypes.util.find_library('clnorm') or 'libclnorm.so.0')
library.clnorm_status_string.restype = ctypes.c_char_p
CHANNELS_FIRST, FORWARD_TRAINING = 0, 0


# The structs of clnorm.h, member by member; a ctypes.Structure begins zeroed, as the header wants it.
class Buffer(ctypes.Structure):
    _fields_ = [('mem', ctypes.c_void_p), ('offset', ctypes.c_uint64)]


class Strides(ctypes.Structure):
    _fields_ = [('n', ctypes.c_uint64), ('c', ctypes.c_uint64), ('s', ctypes.c_uint64)]


class Desc(ctypes.Structure):
    _fields_ = [('n', ctypes.c_uint64), ('c', ctypes.c_uint64), ('s', ctypes.c_uint64), ('layout', ctypes.c_int),
                ('type', ctypes.c_int), ('epsilon', ctypes.c_float), ('slope', ctypes.c_float), ('cap', ctypes.c_float),
                ('group_samples', ctypes.c_uint64), ('group_channels', ctypes.c_uint64)]


class ForwardTraining(ctypes.Structure):
    _fields_ = [(name, Buffer) for name in ('src', 'dst', 'scale', 'shift', 'running_mean', 'running_variance', 'save_mean',
                                            'save_mean_low', 'save_invstd', 'save_variance', 'workspace')]
    _fields_ += [('momentum', ctypes.c_float), ('running_flags', ctypes.c_uint), ('residual', Buffer), ('mask', Buffer),
                 ('src_strides', Strides), ('dst_strides', Strides), ('residual_strides', Strides)]


class DeviceInfo(ctypes.Structure):
    _fields_ = [('platform', ctypes.c_void_p), ('device', ctypes.c_void_p), ('type', ctypes.c_uint64), ('bits', ctypes.c_int),
                ('platform_name', ctypes.c_char * 128), ('name', ctypes.c_char * 128), ('driver', ctypes.c_char * 128)]


def call(name, *arguments):
    status = getattr(library, name)(*arguments)
    if status != 0:
        raise RuntimeError(f'{name}: {library.clnorm_status_string(status).decode()}')


def handle(thing):
    """The cl_mem, cl_context, ... in an object of PyOpenCL."""
    return ctypes.c_void_p(thing.int_ptr)


def main():
    n, c, h, w = 8, 16, 9, 9
    x = np.random.default_rng(1).normal(size=(n, c, h, w)).astype(np.float32)
    x += 1000 * np.arange(c, dtype=np.float32).reshape(1, c, 1, 1)
    scale = np.linspace(0.5, 2, c).astype(np.float32)
    shift = np.linspace(-1, 1, c).astype(np.float32)

    found = DeviceInfo()
    call('clnorm_find_device', None, ctypes.byref(found), None)
    device = cl.Device.from_int_ptr(found.device)
    context = cl.Context([device])
    queue = cl.CommandQueue(context)
    flags = cl.mem_flags

    def upload(array):
        return cl.Buffer(context, flags.READ_WRITE | flags.COPY_HOST_PTR, hostbuf=array)

    norm, desc, size = ctypes.c_void_p(), Desc(), ctypes.c_size_t()
    call('clnorm_create_context', handle(context), handle(device), None, ctypes.byref(norm))
    call('clnorm_describe', CHANNELS_FIRST, 4, (ctypes.c_uint64 * 4)(n, c, h, w), ctypes.byref(desc))
    call('clnorm_get_workspace_bytes', norm, FORWARD_TRAINING, ctypes.byref(desc), ctypes.byref(size))

    # PyOpenCL releases a buffer with its object: these live until the results are read.
    buffers = {'src': upload(x), 'dst': cl.Buffer(context, flags.READ_WRITE, x.nbytes), 'scale': upload(scale),
               'shift': upload(shift), 'workspace': cl.Buffer(context, flags.READ_WRITE, size.value)}
    arguments = ForwardTraining(**{name: Buffer(buffer.int_ptr, 0) for name, buffer in buffers.items()})
    call('clnorm_forward_training', norm, handle(queue), ctypes.byref(desc), ctypes.byref(arguments), 0, None, None)
    y = np.empty_like(x)
    cl.enqueue_copy(queue, y, buffers['dst'])
    call('clnorm_release_context', ctypes.byref(norm))

    exact = x.astype(np.float64)
    mean = exact.mean(axis=(0, 2, 3), keepdims=True)
    variance = exact.var(axis=(0, 2, 3), keepdims=True)
    right = (exact - mean) / np.sqrt(variance + desc.epsilon) * scale.reshape(1, c, 1, 1) + shift.reshape(1, c, 1, 1)
    error = np.abs(y - right).max()
    print(f'PyOpenCL {cl.VERSION_TEXT}: {n} x {c} x {h} x {w} on {device.name.strip()}, {error:.1e} from NumPy in float64')
    return 0 if error < 2e-6 else 1


if __name__ == '__main__':
    sys.exit(main())
