/* SPDX-License-Identifier: Apache-2.0 */
/* What kernels/common/probe.cl computes, by the host. */
#ifndef CLNORM_PROBE_HOST_H
#define CLNORM_PROBE_HOST_H

#include "common/types.cl"

/* out: CLNORM_PROBE_OPERATIONS words of the three numbers of in. */
void clnorm__probe_operations(const float *in, float *out);

/* out: CLNORM_PROBE_TREE_WORDS of CLNORM_PROBE_TREE_INPUTS. */
void clnorm__probe_tree(const float *in, float *out);

#endif
