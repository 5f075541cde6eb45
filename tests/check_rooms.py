#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Finds includes in src and in kernels that point upwards, modules that need each other in a circle, and includes that are no path
from there.

  check_rooms.py SRC KERNELS

A module is a .c file with the .h file of its name. The library's rooms stand in the order of LIBRARY: each may use itself and those
before it; of the kernels' KERNELS tells. The tool (cli) uses public headers alone; its rooms for single commands use what lies in cli itself, its files, and the
rooms that TOOL names. Shown first on a tree with one fault of each kind that faults are found.
"""
import os
import re
import sys
import tempfile

LIBRARY = ['', 'plan', 'device', 'run', 'api']
APART = {'mpi'}  # a library of its own, on public headers
TOOL = {'cli': {'cli/files'}, 'cli/files': {'cli'}, 'cli/bench': {'cli', 'cli/files'}, 'cli/check': {'cli', 'cli/files'},
        'cli/train': {'cli', 'cli/files', 'cli/check'}, 'cli/tune': {'cli', 'cli/files', 'cli/bench'}}
KERNELS = {'common': {'common'}, 'statistics': {'common'}, 'apply': {'common', 'statistics'},
           'fused': {'common', 'statistics', 'apply'}, 'product': {'common', 'statistics'}}
OUTSIDE = {'clnorm.h', 'clnorm_blocks.h', 'clnorm_mpi.h', 'clnorm_parts.h', 'activation.h', 'cases.h', 'half.h', 'model.h'}  # public, and the tests' model, which clnorm check runs
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def read(src):
    """Of every file of C in src, or of OpenCL C in kernels, the files of the same kind that it includes."""
    graph = {}
    for folder, _, names in os.walk(src):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), src)
            if name.endswith(('.c', '.h', '.cl')):
                with open(os.path.join(src, path), encoding='utf-8') as file:
                    graph[path] = [i for i in INCLUDE.findall(file.read()) if i.endswith('.cl') == name.endswith('.cl')]
    return graph


def may_use(room, other):
    if room in KERNELS:
        return room == other or other in KERNELS[room]
    if room in APART or other in APART:
        return room == other
    if room in TOOL or other in TOOL:
        return room == other or other in TOOL.get(room, ())
    return room in LIBRARY and other in LIBRARY and LIBRARY.index(other) <= LIBRARY.index(room)


def circles(needs):
    """Modules that need themselves by way of others, each circle once."""
    found, done = [], set()

    def visit(module, way):
        if module in way:
            found.append(way[way.index(module):] + [module])
        elif module not in done:
            for other in sorted(needs.get(module, ())):
                visit(other, way + [module])
            done.add(module)

    for module in sorted(needs):
        visit(module, [])
    return found


def faults(src):
    graph, needs, said = read(src), {}, []
    for path, includes in sorted(graph.items()):
        module = os.path.splitext(path)[0]
        for include in includes:
            if include in OUTSIDE:
                continue
            if include not in graph:
                said.append(f'{path} includes "{include}", which is no path from {os.path.basename(src)}')
                continue
            if not may_use(os.path.dirname(path), os.path.dirname(include)):
                said.append(f'{path} includes "{include}", whose room it may not use')
            if os.path.splitext(include)[0] != module:
                needs.setdefault(module, set()).add(os.path.splitext(include)[0])
    return said + ['a circle: ' + ' -> '.join(circle) for circle in circles(needs)]


def try_itself():
    with tempfile.TemporaryDirectory() as folder:
        src = os.path.join(folder, 'src')
        files = {'plan/a.h': '#include "plan/b.h"\n', 'plan/b.h': '', 'plan/b.c': '#include "plan/c.h"\n', 'plan/c.h': '#include "plan/a.h"\n',
                 'plan/up.c': '#include "run/run.h"\n', 'run/run.h': '', 'cli/tool.c': '#include "run/run.h"\n', 'run/d.c': '#include "run.h"\n',
                 'common/a.cl': '#include "apply/b.cl"\n', 'apply/b.cl': '#include "b.cl"\n'}
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(src, path)), exist_ok=True)
            with open(os.path.join(src, path), 'w', encoding='utf-8') as file:
                file.write(text)
        found = faults(src)
        wanted = ['a circle: plan/a -> plan/b -> plan/c -> plan/a', 'apply/b.cl includes "b.cl", which is no path from src',
                  'cli/tool.c includes "run/run.h", whose room it may not use', 'common/a.cl includes "apply/b.cl", whose room it may not use',
                  'plan/up.c includes "run/run.h", whose room it may not use', 'run/d.c includes "run.h", which is no path from src']
        if sorted(found) != wanted:
            sys.exit(f'check_rooms.py does not find what it should: {found}')


if __name__ == '__main__':
    if len(sys.argv) != 3 or not all(map(os.path.isdir, sys.argv[1:])):
        sys.exit(__doc__)
    try_itself()
    bad = faults(sys.argv[1]) + faults(sys.argv[2])
    print('\n'.join(bad) if bad else f'{sum(len(read(i)) for i in sys.argv[1:])} files, no circle, no include that points upwards')
    sys.exit(1 if bad else 0)
