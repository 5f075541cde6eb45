/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/variant.h"

#include <limits.h>
#include <string.h>

#include "plan/turns.h"

/* Bytes of the largest partial in local memory: CLNORM_NODE_WORDS floats. */
#define NODE_BYTES (CLNORM_NODE_WORDS * 4u)

/* Seventeen vectors of channels, a line at a time and then, gathered, each by all the rules; the channels that fill none. */
#define COLUMNS_TURNS 11000u

/* Of a kernel that takes one element at a time; of one that takes rows; and of one to which a tensor is one row. */
#define NAIVE(...) ROW(CLNORM__STRIDED, __VA_ARGS__)
#define ROWS(...) ROW(CLNORM__SLICE, __VA_ARGS__)
#define FLAT(...) ROW(CLNORM__DENSE, __VA_ARGS__)
#define ROW(view_, name_, room_, entry_, step_, kind_, layouts_, group_, width_, least_, most_, turns_)                \
    {                                                                                                                  \
        name_, room_ "/" entry_ ".cl", entry_, step_, kind_, layouts_, group_, width_, least_, most_, view_, turns_    \
    }

/* Per step: best rows first, the last one fits anything. */
const struct clnorm__variant clnorm__variants[CLNORM__VARIANTS] = {
    /* name, room and entry, which name the source; step, device kind, layouts; work-group, width; least and most leaves of a block (log2); turns */
    ROWS("fused_cf_item", "fused", "fused_cf_item", CLNORM__FUSED, CLNORM__CPU_LIKE, CLNORM__FIRST, 1, 0, 0, 0, 0),
    ROWS("fused_cl_item", "fused", "fused_cl_item", CLNORM__FUSED, CLNORM__CPU_LIKE, CLNORM__LAST, 1, 0, 0, 0, 0),

    ROWS("stats_cf_item", "statistics", "stats_cf_item", CLNORM__STATS, CLNORM__CPU_LIKE, CLNORM__FIRST, 1, 0, 1, 16,
         CLNORM__LEAF_TURNS),
    ROWS("stats_cl_item", "statistics", "stats_cl_item", CLNORM__STATS, CLNORM__CPU_LIKE, CLNORM__LAST, 1, 0, 4, 16,
         COLUMNS_TURNS),
    ROWS("stats_cf_group256", "statistics", "stats_cf_group", CLNORM__STATS, CLNORM__GPU_LIKE, CLNORM__FIRST, 256, 32,
         2, 6, 64),
    ROWS("stats_cf_group64", "statistics", "stats_cf_group", CLNORM__STATS, CLNORM__GPU_LIKE, CLNORM__FIRST, 64, 32, 1,
         6, 256),
    ROWS("stats_cl_group256", "statistics", "stats_cl_group", CLNORM__STATS, CLNORM__GPU_LIKE, CLNORM__LAST, 256, 32, 4,
         16, 64),
    ROWS("stats_cl_group64", "statistics", "stats_cl_group", CLNORM__STATS, CLNORM__GPU_LIKE, CLNORM__LAST, 64, 16, 4,
         16, 128),
    NAIVE("stats_naive", "statistics", "stats_naive", CLNORM__STATS, CLNORM__ANY, CLNORM__BOTH, 0, 0, 4, 16,
          CLNORM__LEAF_TURNS),

    FLAT("finish_item", "statistics", "finish_item", CLNORM__FINISH, CLNORM__CPU_LIKE, CLNORM__BOTH, 1, 0, 0, 16, 64),
    FLAT("finish_group", "statistics", "finish_group", CLNORM__FINISH, CLNORM__GPU_LIKE, CLNORM__BOTH, 64, 32, 0, 16,
         1),

    FLAT("coefficients_item", "apply", "coefficients_item", CLNORM__COEFFICIENTS, CLNORM__CPU_LIKE, CLNORM__BOTH, 1, 0,
         0, 16, 0),
    FLAT("coefficients", "apply", "coefficients", CLNORM__COEFFICIENTS, CLNORM__ANY, CLNORM__BOTH, 0, 0, 0, 16, 0),

    ROWS("infer_item", "apply", "infer_item", CLNORM__INFER, CLNORM__CPU_LIKE, CLNORM__BOTH, 1, 0, 0, 16, 0),

    ROWS("apply_item", "apply", "apply_item", CLNORM__APPLY, CLNORM__CPU_LIKE, CLNORM__BOTH, 1, 0, 0, 16, 0),
    FLAT("apply_flat", "apply", "apply_flat", CLNORM__APPLY, CLNORM__GPU_LIKE, CLNORM__BOTH, 0, 4, 0, 16, 0),
    ROWS("apply_group", "apply", "apply_group", CLNORM__APPLY, CLNORM__GPU_LIKE, CLNORM__BOTH, 0, 0, 0, 16, 0),
    NAIVE("apply_naive", "apply", "apply_naive", CLNORM__APPLY, CLNORM__ANY, CLNORM__BOTH, 0, 0, 0, 16, 0),

    ROWS("diff_fused_cf_item", "fused", "diff_fused_cf_item", CLNORM__DIFF_FUSED, CLNORM__CPU_LIKE, CLNORM__FIRST, 1, 0,
         0, 0, 0),
    ROWS("diff_fused_cl_item", "fused", "diff_fused_cl_item", CLNORM__DIFF_FUSED, CLNORM__CPU_LIKE, CLNORM__LAST, 1, 0,
         0, 0, 0),

    ROWS("diff_stats_cf_item", "statistics", "diff_stats_cf_item", CLNORM__DIFF_STATS, CLNORM__CPU_LIKE, CLNORM__FIRST,
         1, 0, 1, 16, CLNORM__LEAF_TURNS),
    ROWS("diff_stats_cl_item", "statistics", "diff_stats_cl_item", CLNORM__DIFF_STATS, CLNORM__CPU_LIKE, CLNORM__LAST,
         1, 0, 4, 16, COLUMNS_TURNS),
    ROWS("diff_stats_cf_group256", "statistics", "diff_stats_cf_group", CLNORM__DIFF_STATS, CLNORM__GPU_LIKE,
         CLNORM__FIRST, 256, 32, 2, 6, 64),
    ROWS("diff_stats_cl_group256", "statistics", "diff_stats_cl_group", CLNORM__DIFF_STATS, CLNORM__GPU_LIKE,
         CLNORM__LAST, 256, 32, 4, 16, 64),
    NAIVE("diff_stats_naive", "statistics", "diff_stats_naive", CLNORM__DIFF_STATS, CLNORM__ANY, CLNORM__BOTH, 0, 0, 4,
          16, CLNORM__LEAF_TURNS),

    FLAT("diff_finish_item", "statistics", "finish_item", CLNORM__DIFF_FINISH, CLNORM__CPU_LIKE, CLNORM__BOTH, 1, 0, 0,
         16, 64),
    FLAT("diff_finish_group", "statistics", "finish_group", CLNORM__DIFF_FINISH, CLNORM__GPU_LIKE, CLNORM__BOTH, 64, 32,
         0, 16, 1),

    FLAT("join_groups", "statistics", "join_groups", CLNORM__JOIN, CLNORM__ANY, CLNORM__BOTH, 0, 0, 0, 16, 0),
    FLAT("diff_join_groups", "statistics", "join_groups", CLNORM__DIFF_JOIN, CLNORM__ANY, CLNORM__BOTH, 0, 0, 0, 16, 0),

    FLAT("spread", "statistics", "spread", CLNORM__SPREAD, CLNORM__ANY, CLNORM__BOTH, 0, 0, 0, 16, 0),
    FLAT("roots", "statistics", "roots", CLNORM__ROOTS, CLNORM__ANY, CLNORM__BOTH, 0, 0, 0, 16, 64),
    FLAT("diff_roots", "statistics", "roots", CLNORM__DIFF_ROOTS, CLNORM__ANY, CLNORM__BOTH, 0, 0, 0, 16, 64),
    FLAT("finish_channels", "statistics", "finish_channels", CLNORM__FINISH_CHANNELS, CLNORM__ANY, CLNORM__BOTH, 0, 0,
         0, 16, 64),
    FLAT("diff_finish_channels", "statistics", "finish_channels", CLNORM__DIFF_FINISH_CHANNELS, CLNORM__ANY,
         CLNORM__BOTH, 0, 0, 0, 16, 64),

    FLAT("nodes", "statistics", "nodes", CLNORM__NODES, CLNORM__ANY, CLNORM__BOTH, 0, 0, 0, 16, 64),
    FLAT("diff_nodes", "statistics", "nodes", CLNORM__DIFF_NODES, CLNORM__ANY, CLNORM__BOTH, 0, 0, 0, 16, 64),
    FLAT("merge_nodes", "statistics", "merge_nodes", CLNORM__MERGE, CLNORM__ANY, CLNORM__BOTH, 0, 0, 0, 16, 64),
    FLAT("diff_merge_nodes", "statistics", "merge_nodes", CLNORM__DIFF_MERGE, CLNORM__ANY, CLNORM__BOTH, 0, 0, 0, 16,
         64),
};

static const char *const step_names[CLNORM__STEPS] = {
    "stats",      "finish",      "coefficients",    "apply",
    "diff_stats", "diff_finish", "fused",           "diff_fused",
    "infer",      "join",        "diff_join",       "spread",
    "roots",      "diff_roots",  "finish_channels", "diff_finish_channels",
    "nodes",      "diff_nodes",  "merge",           "diff_merge"};

int clnorm__step_has_direction(enum clnorm__step step)
{
    return step == CLNORM__FINISH || step == CLNORM__JOIN || step == CLNORM__ROOTS || step == CLNORM__FINISH_CHANNELS ||
           step == CLNORM__NODES || step == CLNORM__MERGE || clnorm__step_is_backward(step);
}

int clnorm__step_is_backward(enum clnorm__step step)
{
    return step == CLNORM__DIFF_FINISH || step == CLNORM__DIFF_JOIN || step == CLNORM__DIFF_ROOTS ||
           step == CLNORM__DIFF_FINISH_CHANNELS || step == CLNORM__DIFF_NODES || step == CLNORM__DIFF_MERGE;
}

const char *clnorm__step_name(unsigned step)
{
    return step_names[step];
}

const char *clnorm_variant_step(size_t index)
{
    return index < CLNORM__VARIANTS ? step_names[clnorm__variants[index].step] : NULL;
}

const char *clnorm_variant_name(size_t index)
{
    return index < CLNORM__VARIANTS ? clnorm__variants[index].name : NULL;
}

unsigned clnorm__variant_index(const struct clnorm__variant *variant)
{
    return (unsigned)(variant - clnorm__variants);
}

const char *clnorm__filter_read(const char *names, struct clnorm__filter *filter)
{
    memset(filter, 0, sizeof *filter);
    while (names && *names) {
        size_t length = strcspn(names, ",");
        unsigned i = 0;
        while (i < CLNORM__VARIANTS &&
               (strlen(clnorm__variants[i].name) != length || strncmp(clnorm__variants[i].name, names, length) != 0))
            i++;
        if (i == CLNORM__VARIANTS)
            return names;
        filter->named[i] = 1;
        filter->steps[clnorm__variants[i].step] = 1;
        names += length + (names[length] == ',');
    }
    return NULL;
}

void clnorm__filter_view(struct clnorm__filter *filter, enum clnorm__view view, int is_all)
{
    static const enum clnorm__step steps[] = {CLNORM__APPLY, CLNORM__FUSED, CLNORM__DIFF_FUSED,
                                              CLNORM__INFER, CLNORM__STATS, CLNORM__DIFF_STATS};
    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++)
        filter->view[steps[i]] = (unsigned char)(i < 4 || is_all ? view : CLNORM__DENSE);
}

unsigned clnorm__variant_most_log2(const struct clnorm__variant *variant, const struct clnorm__device *device)
{
    uint64_t leaves = clnorm__turns_pieces(device, variant->turns);
    unsigned log2 = variant->most_log2;
    while (log2 > 0 && leaves >> log2 == 0)
        log2--;
    return leaves ? log2 : UINT_MAX;
}

uint64_t clnorm__most_items(const struct clnorm__device *device, unsigned dimension)
{
    return device->max_items[dimension] ? device->max_items[dimension] : UINT64_MAX;
}

const char *clnorm__variant_refusal(const struct clnorm__variant *variant, const struct clnorm__device *device,
                                    int last, uint64_t leaves)
{
    if (variant->layouts == (last ? CLNORM__FIRST : CLNORM__LAST))
        return "it is for the other layout";
    if (variant->work_group > device->max_work_group || variant->work_group > clnorm__most_items(device, 0))
        return "the device has no work-group of that size";
    if (variant->work_group > 1 && device->local_bytes < variant->work_group * (NODE_BYTES + 8u))
        return "the device has too little local memory";
    if (leaves > (uint64_t)1 << (variant->most_log2 + CLNORM_TREE_LEVELS))
        return "a channel has too many values";
    if (!device->loop_limit)
        return NULL;
    int is_second = clnorm__step_has_direction(variant->step) && variant->turns > 0;
    unsigned most_log2 = clnorm__variant_most_log2(variant, device);
    if (is_second ? leaves > clnorm__turns_pieces(device, variant->turns)
                  : most_log2 == UINT_MAX || leaves > (uint64_t)1 << (most_log2 + CLNORM_TREE_LEVELS))
        return "the driver ends its loops before that many values";
    return NULL;
}

int clnorm__is_preferred(const struct clnorm__variant *variant, const struct clnorm__filter *filter, int last)
{
    return filter->preferred[variant->step][last] == clnorm__variant_index(variant) + 1;
}

const struct clnorm__variant *clnorm__variant_choose(enum clnorm__step step, const struct clnorm__device *device,
                                                     const struct clnorm__filter *filter, int last, uint64_t leaves)
{
    enum clnorm__kind other = device->cpu_like ? CLNORM__GPU_LIKE : CLNORM__CPU_LIKE;
    const struct clnorm__variant *spare = NULL;
    unsigned preferred = filter->steps[step] ? 0 : filter->preferred[step][last];
    if (preferred && !filter->unusable[preferred - 1][last] &&
        clnorm__variants[preferred - 1].view >= filter->view[step] &&
        !clnorm__variant_refusal(&clnorm__variants[preferred - 1], device, last, leaves))
        return &clnorm__variants[preferred - 1];
    for (unsigned i = 0; i < CLNORM__VARIANTS; i++) {
        const struct clnorm__variant *v = &clnorm__variants[i];
        if (v->step != step || filter->unusable[i][last] || v->view < filter->view[step] ||
            clnorm__variant_refusal(v, device, last, leaves))
            continue;
        if (filter->steps[step] ? filter->named[i] : v->kind != other)
            return v;
        if (!filter->steps[step])
            spare = v;
    }
    return spare;
}
