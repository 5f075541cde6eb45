/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What training needs around the blocks: rows of a batch, softmax with cross-entropy, the step of gradient descent. The
 * same rules as in the library's kernels: additions, multiplications and fma alone, each in a fixed order, decide the
 * bits, so that every device gives the same ones; hence an exponential and a reciprocal of their own.
 */
#ifdef __OPENCL_VERSION__
#pragma OPENCL FP_CONTRACT OFF
#endif

/* What a function starts with: nothing here, static where tests compile this as C. */
#ifndef FUNC
#define FUNC
#endif

/* What a network keeps of samples: numbers of binary32, or of TYPE 1 (binary16) or 2 (bfloat16), rounded to nearest even. */
#if TYPE == 1
typedef half kept;
#define LOAD(p, i) vload_half(i, p)
#define STORE(value, p, i) vstore_half_rte(value, i, p)
#elif TYPE == 2
typedef ushort kept;
#define LOAD(p, i) as_float((uint)(p)[i] << 16)
#define STORE(value, p, i) ((p)[i] = train_narrow(value))

FUNC ushort train_narrow(float x)
{
    uint bits = as_uint(x);

    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (ushort)(bits >> 16 | 0x40u);
    return (ushort)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
#else
typedef float kept;
#define LOAD(p, i) ((p)[i])
#define STORE(value, p, i) ((p)[i] = (value))
#endif

/* The product exactly rounded, which no compiler can contract with an addition. */
FUNC float train_mul(float a, float b)
{
    return fma(a, b, -0.0f);
}

/*
 * exp(x) for x <= 0, to about 1e-7 of it; 0 below -87, where it would soon be subnormal. x = n ln 2 + r with a whole n and
 * |r| <= (ln 2) / 2; a series for exp(r), and n put into the exponent.
 */
FUNC float train_exp(float x)
{
    const float whole = 12582912.0f; /* 1.5 * 2^23: what is added to it becomes whole, and stands in its low bits */
    float shifted = fma(x, 1.44269502f, whole);
    float n = shifted - whole;
    float r = fma(n, 2.12194440e-4f, fma(n, -0.693359375f, x));
    float sum = 1.98412701e-4f;

    sum = fma(sum, r, 1.38888892e-3f);
    sum = fma(sum, r, 8.33333377e-3f);
    sum = fma(sum, r, 4.16666679e-2f);
    sum = fma(sum, r, 1.66666672e-1f);
    sum = fma(sum, r, 0.5f);
    sum = fma(sum, r, 1.0f);
    sum = fma(sum, r, 1.0f);
    /* A NaN stays one whatever it is multiplied by. */
    return x < -87.0f ? 0.0f : train_mul(sum, as_float((as_uint(shifted) - as_uint(whole) + 127u) << 23));
}

/* 1 / x for x in [1, 2^24]: a seed from the exponent, of 12 % error at most, which each step squares. */
FUNC float train_reciprocal(float x)
{
    float y = as_float(0x7ef311c3u - as_uint(x));

    for (int i = 0; i < 4; i++)
        y = fma(y, fma(-x, y, 1.0f), y);
    return y;
}

/* Row number i of dst is row number order[first + i] of src. Work-items: a value of a row, a row. */
kernel void gather_rows(ulong length, ulong first, global const uint *order, global const float *src, global kept *dst)
{
    size_t column = get_global_id(0), row = get_global_id(1);

    STORE(src[order[first + row] * length + column], dst, row * length + column);
}

/*
 * A work-item is a sample i, with a row of logits and the label number order[first + i]. It writes
 *
 *   gradient    (p - 1 for the label, p for others) * factor, where p = exp(logit - most) / sum
 *   sums        sum of exp(logit - most) over the classes, in rising order
 *   margins     logit of the label - most, so that the loss is log(sum) - margin
 *   predicted   the class of the largest logit, the first of equals
 *
 * the last three at first + i. A label that is no class, as of samples to be predicted, has no margin; with factor 1 the
 * gradient then is the probability.
 */
kernel void softmax(ulong classes, float factor, ulong first, global const uint *order, global const uint *labels,
                    global const kept *logits, global kept *gradient, global float *sums, global float *margins,
                    global uint *predicted)
{
    size_t i = get_global_id(0);
    global const kept *logit = logits + i * classes;
    global kept *out = gradient + i * classes;
    uint label = labels[order[first + i]], best = 0;
    float most = LOAD(logit, 0), sum = 0, reciprocal;

    for (uint k = 1; k < classes; k++) {
        if (LOAD(logit, k) > most) {
            most = LOAD(logit, k);
            best = k;
        }
    }
    for (uint k = 0; k < classes; k++)
        sum += train_exp(LOAD(logit, k) - most);
    reciprocal = train_reciprocal(sum);
    for (uint k = 0; k < classes; k++)
        STORE(train_mul(train_mul(train_exp(LOAD(logit, k) - most), reciprocal) - (k == label ? 1.0f : 0.0f), factor),
              out, k);
    sums[first + i] = sum;
    margins[first + i] = label < classes ? LOAD(logit, label) - most : 0.0f;
    predicted[first + i] = best;
}

/* Gradient descent with momentum; a work-item is a parameter. */
kernel void descend(float rate, float momentum, global const float *gradient, global float *velocity,
                    global float *parameter)
{
    size_t i = get_global_id(0);
    float v = fma(momentum, velocity[i], gradient[i]);

    velocity[i] = v;
    parameter[i] = fma(-rate, v, parameter[i]);
}
