/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/view.h"

#include "plan/leaves.h"
#include "plan/refuse.h"

/* Places of a block and of blocks are numbers of 31 bits in kernels, see kernels/common/view.cl. */
#define MOST_BLOCKS ((uint64_t)1 << 31)

/* A dimension of more than one element. */
struct dimension {
    uint64_t size, stride;
};

/* Those of a view, the smallest strides first; returns how many. */
static unsigned dimensions(const clnorm_desc *desc, const struct clnorm_view *view, struct dimension list[3])
{
    const struct dimension all[3] = {{desc->n, view->n}, {desc->c, view->c}, {desc->s, view->s}};
    unsigned count = 0;
    for (unsigned i = 0; i < 3; i++) {
        unsigned at = count;
        if (all[i].size < 2)
            continue;
        for (; at > 0 && list[at - 1].stride > all[i].stride; at--)
            list[at] = list[at - 1];
        list[at] = all[i];
        count++;
    }
    return count;
}

struct clnorm_view clnorm__view_dense(const clnorm_desc *desc)
{
    const int last = clnorm__is_last(desc);
    return (struct clnorm_view){desc->c * desc->s, last ? 1 : desc->s, last ? desc->c : 1};
}

/* Strides of sizes that are 1, from the innermost on: as if dense; but a slice of one position a sample has the samples' as the positions'. */
static void fill(const clnorm_desc *desc, struct clnorm_view *view)
{
    const int last = clnorm__is_last(desc);
    struct {
        uint64_t size, *stride;
    } inner = {last ? desc->c : desc->s, last ? &view->c : &view->s},
      middle = {last ? desc->s : desc->c, last ? &view->s : &view->c};
    if (inner.size == 1)
        *inner.stride = 1;
    if (middle.size == 1)
        *middle.stride = last && desc->n > 1 ? view->n : inner.size * *inner.stride;
    if (desc->n <= 1)
        view->n = middle.size * *middle.stride;
}

int clnorm__view_read(const char *name, const clnorm_desc *desc, const clnorm_strides *strides, int is_written,
                      struct clnorm_view *view, char why[CLNORM__WHY])
{
    struct dimension list[3];
    uint64_t span = 0;
    *view = clnorm__view_dense(desc);
    if (strides->n == 0 && strides->c == 0 && strides->s == 0)
        return CLNORM_SUCCESS;
    *view = (struct clnorm_view){strides->n, strides->c, strides->s};
    const unsigned count = dimensions(desc, view, list);
    for (unsigned i = 0; i < count; i++) {
        REFUSE_IF(
            is_written && list[i].stride <= span, CLNORM_INVALID_STRIDES,
            "%s_strides are {%llu, %llu, %llu}; %s is written, and with a stride of %llu beside elements that span "
            "%llu two of its elements may coincide",
            name, (ull)strides->n, (ull)strides->c, (ull)strides->s, name, (ull)list[i].stride, (ull)span + 1);
        const uint64_t length = list[i].stride ? product(list[i].size - 1, list[i].stride) : 0;
        REFUSE_IF((list[i].stride && !length) || length > MOST_ELEMENTS - 1 - span, CLNORM_SIZE_OVERFLOW,
                  "%s_strides are {%llu, %llu, %llu}; with them it spans more than 2^54 elements", name,
                  (ull)strides->n, (ull)strides->c, (ull)strides->s);
        span += length;
    }
    fill(desc, view);
    return CLNORM_SUCCESS;
}

enum clnorm__view clnorm__view_kind(const clnorm_desc *desc, const struct clnorm_view *view)
{
    const struct clnorm_view dense = clnorm__view_dense(desc);
    const int last = clnorm__is_last(desc);
    const uint64_t blocks = last ? desc->n * desc->s : desc->n, block = last ? desc->c : desc->c * desc->s;
    if (view->n == dense.n && view->c == dense.c && view->s == dense.s)
        return CLNORM__DENSE;
    const int is_slice = last ? view->c == 1 && view->n == desc->s * view->s : view->s == 1 && view->c == desc->s;
    return is_slice && blocks < MOST_BLOCKS && block < MOST_BLOCKS ? CLNORM__SLICE : CLNORM__STRIDED;
}

void clnorm__view_use(const clnorm_desc *desc, const struct clnorm_view *view, struct clnorm__use *use)
{
    struct dimension list[3];
    const unsigned count = dimensions(desc, view, list);
    uint64_t end = 0; /* of a dimension, where the next one goes on as if it were the same */
    use->elements = desc->n ? 1 : 0;
    use->pitch = use->inner = 0;
    for (unsigned i = 0; i < count && desc->n; i++) {
        if (list[i].stride != end || end == 0) {
            use->pitch = list[i].stride;
            use->inner = use->elements;
        }
        end = list[i].size * list[i].stride;
        use->elements += (list[i].size - 1) * list[i].stride;
    }
    use->strides[0] = view->n;
    use->strides[1] = view->c;
    use->strides[2] = view->s;
}
