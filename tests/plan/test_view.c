/* SPDX-License-Identifier: Apache-2.0 */
/* Strides: which are legal, what kernels are told of them, and which views of a buffer are apart. */
#include "fixture/suite.h"
#include "plan/operand.h"
#include "plan/view.h"

#include <string.h>

static char why[CLNORM__WHY];

static clnorm_desc desc_of(enum clnorm_layout layout, uint64_t n, uint64_t c, uint64_t s)
{
    return (clnorm_desc){.n = n, .c = c, .s = s, .layout = layout, .epsilon = 1e-5f};
}

struct view_case {
    enum clnorm_layout layout;
    uint64_t n, c, s;
    clnorm_strides given;
    enum clnorm__view kind;
    struct clnorm_view view;
    uint64_t elements;
    int is_written; /* it may be */
};

#define FIRST CLNORM_CHANNELS_FIRST
#define LAST CLNORM_CHANNELS_LAST

static const struct view_case view_cases[] = {
    {FIRST, 2, 3, 5, {0, 0, 0}, CLNORM__DENSE, {15, 5, 1}, 30, 1},
    {LAST, 2, 3, 5, {0, 0, 0}, CLNORM__DENSE, {15, 1, 3}, 30, 1},
    {FIRST, 2, 3, 5, {15, 5, 1}, CLNORM__DENSE, {15, 5, 1}, 30, 1},
    {LAST, 2, 3, 5, {15, 1, 3}, CLNORM__DENSE, {15, 1, 3}, 30, 1},
    /* The other layout's memory. */
    {FIRST, 2, 3, 5, {15, 1, 3}, CLNORM__STRIDED, {15, 1, 3}, 30, 1},
    {LAST, 2, 3, 5, {15, 5, 1}, CLNORM__STRIDED, {15, 5, 1}, 30, 1},
    /* Slices along channels and along samples. */
    {FIRST, 2, 3, 5, {40, 5, 1}, CLNORM__SLICE, {40, 5, 1}, 55, 1},
    {LAST, 2, 3, 5, {40, 1, 8}, CLNORM__SLICE, {40, 1, 8}, 75, 1},
    {FIRST, 2, 3, 5, {30, 5, 1}, CLNORM__SLICE, {30, 5, 1}, 45, 1},
    {LAST, 2, 3, 5, {30, 1, 3}, CLNORM__STRIDED, {30, 1, 3}, 45, 1},
    {LAST, 2, 3, 5, {41, 1, 8}, CLNORM__STRIDED, {41, 1, 8}, 76, 1},
    /* Padded rows; every second element. */
    {FIRST, 2, 3, 5, {24, 8, 1}, CLNORM__STRIDED, {24, 8, 1}, 45, 1},
    {FIRST, 2, 3, 5, {60, 10, 2}, CLNORM__STRIDED, {60, 10, 2}, 89, 1},
    /* Sizes of 1: their strides count for nothing. */
    {FIRST, 1, 3, 5, {7, 5, 1}, CLNORM__DENSE, {15, 5, 1}, 15, 1},
    {LAST, 1, 3, 5, {7, 1, 3}, CLNORM__DENSE, {15, 1, 3}, 15, 1},
    {LAST, 1, 3, 5, {7, 1, 9}, CLNORM__SLICE, {45, 1, 9}, 39, 1},
    {FIRST, 2, 1, 5, {5, 0, 1}, CLNORM__DENSE, {5, 5, 1}, 10, 1},
    {FIRST, 2, 1, 5, {9, 99, 1}, CLNORM__SLICE, {9, 5, 1}, 14, 1},
    {LAST, 2, 1, 5, {15, 99, 3}, CLNORM__SLICE, {15, 1, 3}, 28, 1},
    {FIRST, 4, 3, 1, {8, 1, 99}, CLNORM__SLICE, {8, 1, 8}, 27, 1},
    {LAST, 4, 3, 1, {8, 1, 0}, CLNORM__SLICE, {8, 1, 8}, 27, 1},
    {LAST, 1, 1, 1, {9, 9, 9}, CLNORM__DENSE, {1, 1, 1}, 1, 1},
    /* Read again and again. */
    {FIRST, 2, 3, 5, {0, 5, 1}, CLNORM__SLICE, {0, 5, 1}, 15, 0},
    {LAST, 2, 3, 5, {0, 1, 0}, CLNORM__SLICE, {0, 1, 0}, 3, 0},
    {FIRST, 2, 3, 5, {0, 1, 0}, CLNORM__STRIDED, {0, 1, 0}, 3, 0},
    /* Overlapping windows of a row. */
    {FIRST, 2, 1, 5, {1, 1, 1}, CLNORM__SLICE, {1, 5, 1}, 6, 0},
    /* No two elements meet, but for that the strides would have to be sorted the other way: refused where written. */
    {FIRST, 2, 1, 3, {3, 1, 2}, CLNORM__STRIDED, {3, 6, 2}, 8, 0},
    /* One more than what the others span is enough. */
    {FIRST, 2, 3, 5, {21, 8, 1}, CLNORM__STRIDED, {21, 8, 1}, 42, 1},
    {FIRST, 2, 3, 5, {20, 8, 1}, CLNORM__STRIDED, {20, 8, 1}, 41, 0},
};
enum { VIEW_CASES = sizeof(view_cases) / sizeof(*view_cases) };

START_TEST(test_views)
{
    const struct view_case *c = &view_cases[_i];
    const clnorm_desc desc = desc_of(c->layout, c->n, c->c, c->s);
    struct clnorm_view view;
    struct clnorm__use use = {0};

    ck_assert_int_eq(clnorm__view_read("src", &desc, &c->given, 0, &view, why), CLNORM_SUCCESS);
    ck_assert_msg(view.n == c->view.n && view.c == c->view.c && view.s == c->view.s, "case %d: {%llu, %llu, %llu}", _i,
                  (unsigned long long)view.n, (unsigned long long)view.c, (unsigned long long)view.s);
    ck_assert_int_eq(clnorm__view_kind(&desc, &view), c->kind);
    clnorm__view_use(&desc, &view, &use);
    ck_assert_uint_eq(use.elements, c->elements);
    const int status = clnorm__view_read("dst", &desc, &c->given, 1, &view, why);
    ck_assert_int_eq(status, c->is_written ? CLNORM_SUCCESS : CLNORM_INVALID_STRIDES);
    ck_assert_msg(c->is_written || strstr(why, "dst is written"), "%s", why);
}
END_TEST

START_TEST(test_overflow)
{
    static const clnorm_strides strides[] = {
        {UINT64_MAX, 5, 1}, {UINT64_C(1) << 54, 5, 1}, {1, 1, UINT64_C(1) << 53}, {1, UINT64_MAX / 2 + 2, 1}};
    const clnorm_desc desc = desc_of(FIRST, 3, 3, 5);
    struct clnorm_view view;

    for (size_t i = 0; i < sizeof(strides) / sizeof(*strides); i++) {
        ck_assert_int_eq(clnorm__view_read("src", &desc, &strides[i], 0, &view, why), CLNORM_SIZE_OVERFLOW);
        ck_assert_ptr_nonnull(strstr(why, "src_strides"));
    }
    const clnorm_strides largest = {(UINT64_C(1) << 53) - 8, 5, 1};
    ck_assert_int_eq(clnorm__view_read("src", &desc, &largest, 1, &view, why), CLNORM_SUCCESS);
}
END_TEST

/* Blocks and their elements that kernels of slices cannot count are any view. */
START_TEST(test_large)
{
    const uint64_t most = UINT64_C(1) << 31;
    const clnorm_desc descs[] = {desc_of(FIRST, 2, 3, most / 3),    desc_of(FIRST, 2, 3, most / 3 + 1),
                                 desc_of(FIRST, most - 1, 3, 5),    desc_of(FIRST, most, 3, 5),
                                 desc_of(LAST, 2, 3, most / 2 - 1), desc_of(LAST, 2, 3, most / 2),
                                 desc_of(LAST, 2, most - 1, 4),     desc_of(LAST, 2, most, 4)};

    for (size_t i = 0; i < sizeof(descs) / sizeof(*descs); i++) {
        const clnorm_desc *d = &descs[i];
        const uint64_t pitch = d->layout == LAST ? d->c + 1 : d->c * d->s + 1;
        const clnorm_strides strides =
            d->layout == LAST ? (clnorm_strides){d->s * pitch, 1, pitch} : (clnorm_strides){pitch, d->s, 1};
        struct clnorm_view view;

        ck_assert_int_eq(clnorm__view_read("dst", d, &strides, 1, &view, why), CLNORM_SUCCESS);
        ck_assert_int_eq(clnorm__view_kind(d, &view), i % 2 ? CLNORM__STRIDED : CLNORM__SLICE);
    }
}
END_TEST

/* Which step meets which tensor's view. */
START_TEST(test_steps)
{
    const clnorm_desc desc = desc_of(FIRST, 2, 3, 5);
    const clnorm_strides slice = {40, 5, 1}, any = {24, 8, 1};
    cl_mem mem = (cl_mem)why;
    clnorm_backward_training_args args = {.src = {mem, 0}, .diff_dst = {mem, 0}, .diff_src = {mem, 0}, .dst = {mem, 0}};
    struct clnorm__buffers b;
    unsigned char kinds[CLNORM__STEPS] = {0};
    const struct clnorm__operands *of = &clnorm__operands[CLNORM_BACKWARD_TRAINING];

    args.diff_src_strides = any;
    args.diff_residual_strides = any; /* of a tensor that is not there */
    args.dst_strides = slice;
    clnorm__operands_place(of, &args, &b);
    ck_assert_int_eq(clnorm__operands_view(of, &desc, &args, &b, kinds, why), CLNORM_SUCCESS);
    ck_assert_uint_eq(kinds[CLNORM__DIFF_STATS], CLNORM__SLICE);
    ck_assert_uint_eq(kinds[CLNORM__APPLY], CLNORM__STRIDED);
    ck_assert_uint_eq(kinds[CLNORM__DIFF_FUSED], CLNORM__STRIDED);
    ck_assert_uint_eq(kinds[CLNORM__DIFF_FINISH], CLNORM__DENSE);
    ck_assert_uint_eq(b.views.src.n, 15);
    ck_assert_uint_eq(b.views.dst.n, 24); /* diff_src */
    ck_assert_uint_eq(b.views.gate.n, 40);
    ck_assert_uint_eq(b.views.residual.n, 15);
    ck_assert(b.views.channels == 3 && b.views.positions == 5);
}
END_TEST

/* Views of one buffer: a as it is, b from an offset on; whether they are apart. */
struct pair_case {
    clnorm_strides a, b;
    uint64_t a_channels, b_channels, b_offset;
    int is_apart;
};

static const struct pair_case pair_cases[] = {
    {{40, 5, 1}, {40, 5, 1}, 3, 3, 15, 1}, {{40, 5, 1}, {40, 5, 1}, 3, 3, 14, 0},
    {{40, 5, 1}, {40, 5, 1}, 3, 5, 15, 1}, {{40, 5, 1}, {40, 5, 1}, 3, 5, 16, 0}, /* the next sample's */
    {{40, 5, 1}, {40, 5, 1}, 3, 5, 95, 1}, {{40, 5, 1}, {40, 5, 1}, 3, 5, 81, 0},
    {{40, 5, 1}, {41, 5, 1}, 3, 3, 15, 0}, {{40, 5, 1}, {40, 5, 1}, 3, 3, 500, 1},
    {{40, 1, 8}, {40, 1, 8}, 3, 5, 3, 1},  {{40, 1, 8}, {40, 1, 8}, 4, 5, 3, 0},
};
enum { PAIR_CASES = sizeof(pair_cases) / sizeof(*pair_cases) };

START_TEST(test_pairs)
{
    const struct pair_case *c = &pair_cases[_i];

    for (int swapped = 0; swapped < 2; swapped++) {
        struct clnorm__uses uses = {.count = 3};
        const clnorm_strides *strides[] = {&c->a, &c->b};
        const uint64_t channels[] = {c->a_channels, c->b_channels};

        for (unsigned i = 0; i < 3; i++) {
            struct clnorm__use *u = &uses.use[i];
            const unsigned from = swapped ? 1 - i : i;
            struct clnorm_view view;

            *u = (struct clnorm__use){.name = i ? "dst" : "src", .bytes = 2, .written = i == 1, .spare = ""};
            if (i == 2)
                continue; /* no workspace */
            const clnorm_desc desc = desc_of(c->a.c == 1 ? LAST : FIRST, 4, channels[from], 5);
            ck_assert_int_eq(clnorm__view_read(u->name, &desc, strides[from], 1, &view, why), CLNORM_SUCCESS);
            u->buffer = (clnorm_buffer){(cl_mem)why, from ? c->b_offset : 0};
            u->root = (cl_mem)why;
            u->size_bytes = 10000;
            clnorm__view_use(&desc, &view, u);
        }
        ck_assert_int_eq(clnorm__check_buffers(&uses, why), c->is_apart ? CLNORM_SUCCESS : CLNORM_BUFFER_OVERLAP);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("view");
    TCase *cases = tcase_create("view");

    tcase_add_loop_test(cases, test_views, 0, VIEW_CASES);
    tcase_add_test(cases, test_overflow);
    tcase_add_test(cases, test_large);
    tcase_add_test(cases, test_steps);
    tcase_add_loop_test(cases, test_pairs, 0, PAIR_CASES);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
