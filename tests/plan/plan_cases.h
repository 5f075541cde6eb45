/* SPDX-License-Identifier: Apache-2.0 */
/* Devices and calls that plans are made for, without a device. */
#ifndef CLNORM_TESTS_PLAN_CASES_H
#define CLNORM_TESTS_PLAN_CASES_H

#include "plan/plan.h"

static const struct clnorm__filter all;
static char why[320];

static const struct device_case {
    const char *name;
    struct clnorm__device device;
} devices[] = {
    {"cpu", {.cpu_like = 1, .compute_units = 2, .vector = 8, .max_work_group = 4096, .local_bytes = 1 << 20}},
    {"cpu of 128", {.cpu_like = 1, .compute_units = 128, .vector = 16, .max_work_group = 4096, .local_bytes = 1 << 20}},
    {"cpu with a cache",
     {.cpu_like = 1,
      .compute_units = 4,
      .vector = 8,
      .max_work_group = 4096,
      .local_bytes = 1 << 20,
      .cache_bytes = 64 << 20}},
    {"gpu", {.compute_units = 132, .vector = 4, .max_work_group = 1024, .local_bytes = 48 << 10}},
    {"small gpu", {.compute_units = 3, .vector = 4, .max_work_group = 64, .local_bytes = 4 << 10}},
    {"least", {.compute_units = 1, .vector = 4, .max_work_group = 1, .local_bytes = 1 << 10}},
};
enum { DEVICES = sizeof devices / sizeof devices[0] };

static const struct clnorm__ask asks[] = {
    {CLNORM_FORWARD_TRAINING, 1, 1, 0},  {CLNORM_FORWARD_INFERENCE, 0, 1, 0}, {CLNORM_BACKWARD_TRAINING, 1, 1, 0},
    {CLNORM_BACKWARD_TRAINING, 1, 0, 0}, {CLNORM_BACKWARD_FROZEN, 1, 1, 0},   {CLNORM_BACKWARD_FROZEN, 0, 1, 0},
};
enum { ASKS = sizeof asks / sizeof asks[0] };

static inline clnorm_desc describe(uint64_t n, uint64_t c, uint64_t s, enum clnorm_layout layout)
{
    clnorm_desc desc = {n, c, s, layout, CLNORM_FLOAT32, 1e-5f, {0, 0}};
    return desc;
}

static int make(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                struct clnorm__plan *plan)
{
    why[0] = '\0';
    return clnorm__plan_make(desc, ask, device, &all, plan, why, sizeof why);
}

#endif
