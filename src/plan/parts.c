/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/parts.h"

#include <string.h>

#include "plan/arithmetic.h"
#include "plan/leaves.h"
#include "plan/refuse.h"

#define FUNC static inline
#include "common/subtree.cl"

/* ---- borders ---- */

/* Parts begin at multiples of so many samples for the same bits. */
static uint64_t multiple_of(const clnorm_desc *desc)
{
    uint64_t rows, period, power = CLNORM_LANES;
    if (!clnorm__is_last(desc)) {
        clnorm__count_leaves(desc, &rows, &period);
        return rows;
    }
    while (power > 1 && desc->s % power)
        power /= 2;
    return CLNORM_LANES / power;
}

int clnorm_get_part_multiple(const clnorm_desc *desc, uint64_t *samples)
{
    char why[CLNORM__WHY];
    if (!samples)
        return CLNORM_INVALID_ARGUMENT;
    const int status = clnorm__check_desc(desc, why);
    if (status == CLNORM_SUCCESS)
        *samples = multiple_of(desc);
    return status;
}

static int check_borders(const clnorm_desc *desc, const clnorm_parts *parts, uint64_t samples, char why[CLNORM__WHY])
{
    const uint64_t multiple = multiple_of(desc);
    uint64_t before = 0;
    for (uint64_t i = 0; i < parts->count && before < samples; before += parts->samples[i], i++)
        REFUSE_IF(
            before % multiple && parts->samples[i], CLNORM_INVALID_PARTS,
            "part %llu begins at sample %llu; for the same bits parts of this shape begin at multiples of %llu samples "
            "(clnorm_get_part_multiple), or else merge is CLNORM_MERGE_BY_COUNTS",
            (ull)i, (ull)before, (ull)multiple);
    return CLNORM_SUCCESS;
}

int clnorm__check_parts(const clnorm_desc *desc, const clnorm_parts *parts, uint64_t part, int is_of_part,
                        clnorm_desc *batch, char why[CLNORM__WHY])
{
    uint64_t samples = 0, rows, period;
    REFUSE_IF(!parts || !parts->samples, CLNORM_INVALID_ARGUMENT, "parts%s is NULL; it tells how the batch is divided",
              parts ? "->samples" : "");
    REFUSE_IF(parts->count == 0 || parts->count > CLNORM_MOST_PARTS, CLNORM_INVALID_PARTS,
              "a batch of %llu parts; there are 1 to CLNORM_MOST_PARTS (65536)", (ull)parts->count);
    REFUSE_IF(parts->merge > CLNORM_MERGE_BY_COUNTS, CLNORM_INVALID_ENUM,
              "merge is %u; it is CLNORM_MERGE_SAME_BITS (0) or CLNORM_MERGE_BY_COUNTS (1)", parts->merge);
    REFUSE_IF(part > parts->count || (is_of_part && part == parts->count), CLNORM_INVALID_PARTS,
              "part number %llu, counted from 0; there are %llu", (ull)part, (ull)parts->count);
    REFUSE_IF(is_of_part && desc->n != parts->samples[part], CLNORM_INVALID_PARTS,
              "desc->n is %llu; part number %llu has %llu samples", (ull)desc->n, (ull)part, (ull)parts->samples[part]);
    REFUSE_IF(desc->group_samples, CLNORM_INVALID_GROUP,
              "group_samples is %llu; groups of samples have statistics of their own: with parts that begin where "
              "groups do, the calls of clnorm.h do for each part, and here it is 0",
              (ull)desc->group_samples);
    for (uint64_t i = 0; i < parts->count; i++) {
        samples += parts->samples[i];
        REFUSE_IF(parts->samples[i] > MOST_ELEMENTS || samples > MOST_ELEMENTS, CLNORM_SIZE_OVERFLOW,
                  "all parts together have more than 2^54 samples");
    }
    *batch = *desc;
    batch->n = samples;
    const int status = clnorm__check_desc(batch, why);
    REFUSE_IF(status == CLNORM_SUCCESS && clnorm__count_leaves(batch, &rows, &period) > (uint64_t)1 << 31,
              CLNORM_SIZE_OVERFLOW, "a channel's %llu values are more than 2^31 leaves of the statistics' tree",
              (ull)(samples * desc->s));
    if (status != CLNORM_SUCCESS || parts->merge == CLNORM_MERGE_BY_COUNTS)
        return status;
    return check_borders(batch, parts, samples, why);
}

/* ---- parts and their nodes ---- */

/* The level of a part's next node, after `taken` of its leaves. */
static unsigned next_level(const struct clnorm__part *of, uint64_t taken)
{
    return clnorm_subtree((clnorm_u32)(of->first + taken), (clnorm_u32)(of->leaves - taken),
                          (clnorm_u32)least(of->aligned_log2 + CLNORM_TREE_LEVELS, 31), (clnorm_u32)of->is_last);
}

/* All of a part but the number of its first node: it has n samples, and `before` come before it. */
static void find_leaves(const clnorm_desc *batch, unsigned merge, uint64_t before, uint64_t n, struct clnorm__part *of)
{
    const int is_whole = merge == CLNORM_MERGE_BY_COUNTS;
    uint64_t rows, period;
    clnorm_desc desc = *batch;
    memset(of, 0, sizeof *of);
    if (n == 0)
        return;
    desc.n = n;
    of->values = n * desc.s;
    of->leaves = clnorm__count_leaves(&desc, &rows, &period);
    of->samples = is_whole ? n : batch->n;
    of->is_last = is_whole || before + n == batch->n;
    desc.n = before;
    of->first = is_whole || before == 0 ? 0 : clnorm__count_leaves(&desc, &rows, &period);
    const uint64_t borders = of->first | (of->is_last ? 0 : of->first + of->leaves);
    while (of->aligned_log2 < 31 && !(borders >> of->aligned_log2 & 1))
        of->aligned_log2++;
    for (uint64_t taken = 0; taken < of->leaves; of->nodes++) {
        const unsigned level = next_level(of, taken);
        of->most_level = level > of->most_level ? level : of->most_level;
        taken += (uint64_t)1 << level;
    }
}

void clnorm__part_of(const clnorm_desc *batch, const clnorm_parts *parts, uint64_t part, struct clnorm__part *of)
{
    uint64_t before = 0, node = 0;
    for (uint64_t i = 0; i < part; before += parts->samples[i], i++) {
        find_leaves(batch, parts->merge, before, parts->samples[i], of);
        node += of->nodes;
    }
    find_leaves(batch, parts->merge, before, part < parts->count ? parts->samples[part] : 0, of);
    of->node = node;
}

int clnorm__has_parts(int operation)
{
    return operation == CLNORM_FORWARD_TRAINING || operation == CLNORM_BACKWARD_TRAINING ||
           operation == CLNORM_BACKWARD_FROZEN;
}

int clnorm_get_part_nodes(enum clnorm_operation operation, const clnorm_desc *desc, const clnorm_parts *parts,
                          uint64_t part, uint64_t *first, uint64_t *elements)
{
    struct clnorm__part of;
    clnorm_desc batch;
    char why[CLNORM__WHY];
    if (!first || !elements)
        return CLNORM_INVALID_ARGUMENT;
    if (!clnorm__has_parts(operation))
        return CLNORM_INVALID_ENUM;
    int status = clnorm__check_desc(desc, why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_parts(desc, parts, part, 0, &batch, why);
    if (status != CLNORM_SUCCESS)
        return status;
    clnorm__part_of(&batch, parts, part, &of);
    const uint64_t words = (operation == CLNORM_FORWARD_TRAINING ? CLNORM_NODE_WORDS : CLNORM_SUM_WORDS) * desc->c;
    *first = of.node * words;
    *elements = of.nodes * words;
    return CLNORM_SUCCESS;
}

/* ---- their merges ---- */

void clnorm__merging_begin(const clnorm_desc *batch, const clnorm_parts *parts, struct clnorm__merging *m)
{
    uint64_t rows, period;
    memset(m, 0, sizeof *m);
    m->batch = batch;
    m->parts = parts;
    const uint64_t leaves = clnorm__count_leaves(batch, &rows, &period);
    clnorm__shape_leaves(batch, rows, leaves, period, &m->shape);
}

/* Puts the next node on top. Returns whether there is one. */
static int push(struct clnorm__merging *m)
{
    const int is_by_counts = m->parts->merge == CLNORM_MERGE_BY_COUNTS;
    while (m->taken >= m->part.leaves) {
        if (m->next == m->parts->count)
            return 0;
        const uint64_t n = m->parts->samples[m->next++];
        find_leaves(m->batch, m->parts->merge, m->before, n, &m->part);
        m->before += n;
        m->taken = 0;
    }
    if (is_by_counts) { /* a leaf of a tree of parts */
        m->level = 0;
        m->position = m->node;
        m->values[m->depth] = m->part.values;
        m->taken = m->part.leaves;
    } else {
        m->position = m->part.first + m->taken;
        m->level = next_level(&m->part, m->taken);
        m->taken += (uint64_t)1 << m->level;
        m->values[m->depth] =
            clnorm__values_before(&m->shape, m->part.first + m->taken) - clnorm__values_before(&m->shape, m->position);
    }
    m->node++;
    m->depth++;
    return 1;
}

/* Merges the two topmost nodes, and says with which weights. */
static void merge(struct clnorm__merging *m, float *f, float *w)
{
    const uint64_t b = m->values[--m->depth], a = m->values[m->depth - 1];
    clnorm__merge_weights(a, b, f, w);
    m->values[m->depth - 1] = a + b;
    m->level++;
}

int clnorm__merging_next(struct clnorm__merging *m, struct clnorm_schedule *schedule)
{
    memset(schedule, 0, sizeof *schedule);
    schedule->depth = m->depth;
    for (clnorm_u32 i = 0; i < CLNORM_SCHEDULE; i++) {
        const int is_waiting = m->depth > 1 && m->position >> m->level & 1; /* the left neighbour, below it */
        if (!is_waiting && push(m)) {
            m->most_depth = m->depth > m->most_depth ? m->depth : m->most_depth;
        } else {
            if (m->depth < 2)
                break;
            merge(m, &schedule->f[i], &schedule->w[i]);
            schedule->is_merge[i / 32] |= 1u << i % 32;
        }
        schedule->count++;
    }
    return schedule->count > 0;
}
