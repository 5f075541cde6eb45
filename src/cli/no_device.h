/* SPDX-License-Identifier: Apache-2.0 */
/* What is said where there is no OpenCL device at all. */
#ifndef CLNORM_CLI_NO_DEVICE_H
#define CLNORM_CLI_NO_DEVICE_H

void complain_no_device(void);

#endif
