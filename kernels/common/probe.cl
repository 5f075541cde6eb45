/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a device computes as it says: src/device/probe.c compares. A work-item takes three numbers, and those behind them a tree each. */
#include "common/begin.cl"
#define T float
#define FN(name) name##_f
#include "common/probe_tree.cl"
#undef T
#undef FN

kernel void probe(const global float *in, global float *out, uint triples)
{
    uint i = (uint)get_global_id(0);
    if (i < triples) {
        float a = in[3 * i], b = in[3 * i + 1], c = in[3 * i + 2];
        out += CLNORM_PROBE_OPERATIONS * i;
        out[0] = a + b;
        out[1] = a - b;
        out[2] = a * b;
        out[3] = fma(a, b, c);
        out[4] = a * b + c; /* rounded twice: contraction is off */
        out[5] = mul_f(a, b);
        out[6] = mul_f(a, b) + c; /* rounded twice, whatever the compiler makes of contraction */
        return;
    }
    float values[CLNORM_PROBE_TREE_INPUTS], results[CLNORM_PROBE_TREE_WORDS];
    in += 3 * triples + CLNORM_PROBE_TREE_INPUTS * (i - triples);
    out += CLNORM_PROBE_OPERATIONS * triples + CLNORM_PROBE_TREE_WORDS * (i - triples);
    for (uint k = 0; k < CLNORM_PROBE_TREE_INPUTS; k++)
        values[k] = in[k];
    probe_tree_f(values, results);
    for (uint k = 0; k < CLNORM_PROBE_TREE_WORDS; k++)
        out[k] = results[k];
}
