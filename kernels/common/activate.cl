/* SPDX-License-Identifier: Apache-2.0 */
/* An activation with a slope and a cap, and the gradient before it: a template like pair.cl. A NaN stays one, and lets the gradient pass. */

/* What is left of a value, or of a gradient, at or below 0; with slope 0, +0 whatever it is. */
FUNC T FN(held)(T diff, float slope)
{
    return SELECT((T)(0.0f), FN(mul)(diff, (T)(slope)), (T)(slope) != (T)(0.0f));
}

FUNC T FN(activate)(T v, float slope, float cap)
{
    const T below = FN(held)(v, slope);
    v = SELECT(v, (T)(cap), v >= (T)(cap));
    return SELECT(v, below, v <= (T)(0.0f));
}

/* v: what came in or what came out, as of both the same is between 0 and cap. */
FUNC T FN(gate)(T diff, T v, float slope, float cap)
{
    const T held = FN(held)(diff, slope);
    diff = SELECT(diff, (T)(0.0f), v >= (T)(cap));
    return SELECT(diff, held, v <= (T)(0.0f));
}
