/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints a line for every program of the tables of variants and of blocks' kernels in every form, and for the probe's, for
 * check_kernels.sh: the source file and the options that it is compiled with. Made from the tables, so that no kernel can be forgotten.
 */
#include "run/block_kernels.h"
#include "device/probe.h"
#include "plan/variant.h"

#include <stdio.h>

/* The form that drivers with a limit of loops (llvmpipe) compile: src/device/program.c. */
#define LIMITED " -DSMALL_CODE"

static void print_program(const struct clnorm__variant *v, int last, int apply, const char *options)
{
    printf("%s -DCHANNELS_LAST=%d", v->source, last);
    if (v->step == CLNORM__FINISH || v->step == CLNORM__DIFF_FINISH)
        printf(" -DBACKWARD=%d", v->step == CLNORM__DIFF_FINISH);
    if (v->step == CLNORM__APPLY)
        printf(" -DAPPLY=%d", apply);
    printf("%s\n", options);
}

/* Items use vectors as wide as the device likes. */
static void print_form(const struct clnorm__variant *v, int last, int apply)
{
    static const unsigned vectors[] = {4, 8, 16};
    char options[80] = "";
    if (v->kind == CLNORM__CPU_LIKE && v->work_group == 1) {
        for (int i = 0; i < 3; i++) {
            snprintf(options, sizeof options, " -DVEC=%u -DHINTS=1", vectors[i]);
            print_program(v, last, apply, options);
            snprintf(options, sizeof options, " -DVEC=%u -DHINTS=0" LIMITED, vectors[i]);
            print_program(v, last, apply, options);
        }
        return;
    }
    if (v->work_group > 1)
        snprintf(options, sizeof options, " -DWORK_GROUP=%u -DWIDTH=%u", v->work_group, v->width);
    print_program(v, last, apply, options);
}

int main(void)
{
    for (int i = 0; i < CLNORM__VARIANTS; i++) {
        const struct clnorm__variant *v = &clnorm__variants[i];
        for (int last = 0; last < 2; last++) {
            if (v->layouts == (last ? CLNORM__FIRST : CLNORM__LAST))
                continue;
            for (int apply = 0; apply < (v->step == CLNORM__APPLY ? 3 : 1); apply++)
                print_form(v, last, apply);
        }
    }
    for (int i = 0; i < CLNORM__BLOCK_KERNELS; i++)
        print_form(&clnorm__block_kernels[i], 0, 0);
    print_form(&clnorm__probe_kernel, 0, 0);
    return 0;
}
