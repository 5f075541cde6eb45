/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints a line for every program of the tables of variants and of blocks' kernels in every layout and step, and for the probe's, for
 * check_kernels.sh: the source file and the options that it is compiled with. Made from the tables, so that no kernel can be forgotten.
 * Of types and of what a step does beside the normalization it prints neither; all together, in binary16; and an activation and a
 * residual without a mask, in bfloat16. Of views it prints the plain form, and all together.
 */
#include "device/probe.h"
#include "device/program.h"
#include "plan/variant.h"
#include "run/block_kernels.h"

#include <stdio.h>

/* As for a kernel file of the user's: with the compiler's warnings. */
static void print_program(const struct clnorm__device *device, const struct clnorm__variant *v, unsigned form)
{
    char options[256];
    clnorm__build_options(device, v, form, 1, options, sizeof options);
    printf("%s %s\n", v->source, options);
}

/* Items use vectors as wide as the device likes; drivers with a limit of loops compile small code, without hints. */
static void print_form(const struct clnorm__variant *v, unsigned form)
{
    static const unsigned vectors[] = {4, 8, 16};
    if (v->kind != CLNORM__CPU_LIKE || v->work_group != 1) {
        print_program(&(struct clnorm__device){.vector = 4}, v, form);
        return;
    }
    for (int i = 0; i < 3; i++) {
        print_program(&(struct clnorm__device){.vector = vectors[i], .hints = 1}, v, form);
        print_program(&(struct clnorm__device){.vector = vectors[i], .small_code = 1}, v, form);
    }
}

/* What a program's step knows of. */
static unsigned extras_of(const struct clnorm__variant *v, unsigned apply)
{
    const unsigned all = CLNORM__HAS_ACTIVATION | CLNORM__HAS_RESIDUAL | CLNORM__HAS_MASK;
    switch (v->step) {
    case CLNORM__FUSED:
        return all;
    case CLNORM__DIFF_FUSED:
        return all | CLNORM__HAS_OLD;
    case CLNORM__INFER:
        return CLNORM__HAS_ACTIVATION | CLNORM__HAS_RESIDUAL;
    case CLNORM__APPLY:
        return apply == CLNORM__APPLY_FORWARD ? all : all | CLNORM__HAS_OLD;
    case CLNORM__DIFF_STATS:
        return CLNORM__HAS_ACTIVATION | CLNORM__HAS_MASK;
    default:
        return 0;
    }
}

static void print_forms(const struct clnorm__variant *v, unsigned last, unsigned apply)
{
    const unsigned plain = CLNORM__FORM(last, apply), extras = extras_of(v, apply);
    const int has_type =
        !clnorm__step_has_direction(v->step) && v->step != CLNORM__COEFFICIENTS && v->step != CLNORM__SPREAD;
    print_form(v, plain);
    if (v->step == CLNORM__APPLY && apply == CLNORM__APPLY_BATCH)
        print_form(v, plain | CLNORM__HAS_WEIGHT);
    if (has_type) {
        print_form(v, plain | CLNORM__OF_TYPE(CLNORM_FLOAT16) | extras);
        print_form(v, plain | CLNORM__OF_TYPE(CLNORM_BFLOAT16) | (extras & ~(CLNORM__HAS_MASK | CLNORM__HAS_OLD)));
    }
    if (v->view != CLNORM__DENSE) {
        print_form(v, plain | CLNORM__OF_VIEW(v->view));
        print_form(v, plain | CLNORM__OF_VIEW(v->view) | CLNORM__OF_TYPE(CLNORM_FLOAT16) | extras);
    }
}

/* A kernel of blocks; of products, with all operands of another type, and with some. */
static void print_product(const struct clnorm__variant *v, int is_product)
{
    static const unsigned typed[] = {CLNORM__A_TYPED | CLNORM__B_TYPED | CLNORM__C_TYPED, CLNORM__B_TYPED};
    print_form(v, CLNORM__FORM(0, 0));
    for (unsigned i = 0; i < (is_product ? 2 : 1); i++)
        print_form(v, CLNORM__OF_TYPE(i % 2 ? CLNORM_BFLOAT16 : CLNORM_FLOAT16) | (is_product ? typed[i] : 0u));
}

int main(void)
{
    for (int i = 0; i < CLNORM__VARIANTS; i++) {
        const struct clnorm__variant *v = &clnorm__variants[i];
        for (unsigned last = 0; last < 2; last++) {
            if (v->layouts == (last ? CLNORM__FIRST : CLNORM__LAST))
                continue;
            for (unsigned apply = 0; apply < (v->step == CLNORM__APPLY ? 3 : 1); apply++)
                print_forms(v, last, apply);
        }
    }
    for (int i = 0; i < CLNORM__BLOCK_KERNELS; i++)
        print_product(&clnorm__block_kernels[i],
                      i == CLNORM__GEMM_ITEM || i == CLNORM__GEMM_GROUP || i == CLNORM__GEMM_NAIVE);
    print_form(&clnorm__probe_kernel, CLNORM__FORM(0, 0));
    return 0;
}
