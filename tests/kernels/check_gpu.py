#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Compiles the rows of GPU-like devices offline, for NVIDIA's and AMD's GPUs, and fails where a compiler keeps them from memory's speed:
private memory, spilled registers, divisions of 64 bits, and in the last step accesses below 128 bits. Prints what it saw.

    check_gpu.py PROGRAMS FOLDER      PROGRAMS prints a line 'SOURCE OPTIONS' for each program, FOLDER holds the sources

A driver's own compiler may do better or worse; what is lost here is lost on most. Exits 77 where clang 15 or libclc is missing.
"""
import os
import re
import subprocess
import sys
import tempfile

CLANG = os.environ.get('CLANG_GPU', 'clang-15')
LIBRARY = '/usr/lib/clc/'

# The most that a source may have. What is above nothing is what is known and not yet mended: a limit, so that it gets no worse.
# private: bytes, before NVIDIA's assembler. divisions: of 64 bits, in NVIDIA's code. wide: vectors of 128 bits at least, of
# loads and of stores; shared: loads from local memory of 128 bits, at least.
LIMITS = {
    'apply_flat': {'divisions': 4, 'wide': (4, 4)},
    'apply_group': {'divisions': 1},
    'apply_group -DVIEW=1': {'divisions': 2},  # one for where a group of samples starts
    'finish_group': {'private': 352},
    'stats_cf_group': {'private': 344, 'divisions': 1},
    'stats_cl_group': {'private': 472, 'divisions': 2},
    'diff_stats_cf_group': {'private': 272, 'divisions': 1},
    'diff_stats_cl_group': {'private': 280, 'divisions': 2},
    'gemm_group': {'divisions': 3, 'shared': 2},
}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def compile_for(target, folder, source, options, out):
    front = [CLANG, '-x', 'cl', '-Xclang', '-finclude-default-header', '-O3', '-S', '-I', folder, *options,
             os.path.join(folder, source), '-o', out]
    if target == 'nvidia':
        return run(*front, '-target', 'nvptx64-unknown-nvidiacl', '-Xclang', '-target-cpu', '-Xclang', 'sm_75', '-Xclang',
                   '-target-feature', '-Xclang', '+ptx75', '-Xclang', '-mlink-bitcode-file', '-Xclang',
                   LIBRARY + 'nvptx64--nvidiacl.bc')
    return run(*front, '-target', 'amdgcn-amd-amdhsa', '-mcpu=gfx90a', '-nogpulib', '-Xclang', '-mlink-builtin-bitcode', '-Xclang',
               LIBRARY + 'amdgcn--amdhsa.bc')


def number(pattern, text):
    found = re.search(pattern, text)
    return int(found.group(1)) if found else 0


def look(target, text):
    if target == 'nvidia':
        return {'private': number(r'\.local \.align \d+ \.b8\s+__local_depot\d+\[(\d+)\]', text), 'spills': 0,
                'divisions': len(re.findall(r'\b(?:div|rem)\.[us]64', text)),
                'wide': (len(re.findall(r'\bld\.global(?:\.nc)?\.v4\.', text)), len(re.findall(r'\bst\.global\.v4\.', text))),
                'shared': len(re.findall(r'\bld\.shared\.v4\.', text))}
    return {'private': number(r'\.private_segment_fixed_size:\s*(\d+)', text), 'spills': number(r'\.vgpr_spill_count:\s*(\d+)', text),
            'divisions': 0,
            'wide': tuple(len(re.findall(r'\b(?:global|flat)_' + way + r'_dwordx4\b', text)) for way in ('load', 'store')),
            'shared': len(re.findall(r'\bds_read(?:_b128|2_b64)\b', text))}


def judge(limits, seen):
    """What is wrong, or nothing."""
    wrong = [f'{seen[what]} {unit}, at most {limits.get(what, 0)}'
             for what, unit in (('private', 'bytes of private memory'), ('spills', 'spilled registers'),
                                ('divisions', 'divisions of 64 bits'))
             if seen[what] > limits.get(what, 0)]
    for way, least, count in zip(('loads', 'stores'), limits.get('wide', (0, 0)), seen['wide']):
        if count < least:
            wrong.append(f'{count} {way} of 128 bits, at least {least}')
    if seen['shared'] < limits.get('shared', 0):
        wrong.append(f"{seen['shared']} loads of 128 bits from local memory, at least {limits['shared']}")
    return '; '.join(wrong)


def main(programs, folder):
    if run(CLANG, '--version')[0] != 0 or not os.path.exists(LIBRARY + 'nvptx64--nvidiacl.bc'):
        print(f'there is no {CLANG} with libclc (packages clang-15, libclc-15)')
        return 77
    failed = count = 0
    with tempfile.TemporaryDirectory() as temporary:
        for line in run(programs)[1].splitlines():
            source, *options = line.split()
            name = os.path.splitext(os.path.basename(source))[0]
            if name not in LIMITS or (name != 'apply_flat' and any(o.startswith('-DTYPE') for o in options)):
                continue  # of types, what the last step makes of them says enough
            # AMD's registers are the ampler ones: plain forms say how far they are filled.
            for target in ('nvidia', 'amd') if not re.search('TYPE|ACTIVATION|WEIGHTED|VIEW', line) else ('nvidia',):
                out = os.path.join(temporary, 'out.s')
                status, said = compile_for(target, folder, source, options, out)
                if status != 0:
                    wrong, seen = 'does not compile: ' + said.strip().splitlines()[0], None
                else:
                    with open(out, encoding='utf-8') as file:
                        seen = look(target, file.read())
                    wrong = judge(LIMITS.get(f'{name} -DVIEW=1' if '-DVIEW=1' in options else name, LIMITS[name]), seen)
                count += 1
                failed += wrong != ''
                facts = '' if seen is None else (f"private {seen['private']:4}  spills {seen['spills']}  divisions {seen['divisions']}  "
                                                 f"128 bits {seen['wide'][0]} loads {seen['wide'][1]} stores")
                print(f"{target:7} {name:20} {' '.join(options[1:]):60} {facts}{'  FAILED: ' + wrong if wrong else ''}")
    print(f'{count} programs, {failed} failed')
    return 1 if failed or count == 0 else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
