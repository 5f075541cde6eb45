/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/message.h"
#include "cli/train/train.h"

#include <stdio.h>

int train_session_open(const struct train_options *o, struct session *session, struct train_kernels *kernels)
{
    show_progress("preparing the device");
    if (session_open(session, o->device, o->is_verbose) != 0)
        return STATUS_FAILED;
    if (train_kernels_open(session, kernels, o->network.type) == 0) {
        clear_progress();
        return STATUS_DONE;
    }
    train_session_close(session, kernels);
    return STATUS_FAILED;
}

void train_warm_up(const struct train_options *o, struct trainer *trainer)
{
    if (!o->network.is_reproducible && !trainer->session->is_failed)
        fprintf(stderr, "CLBlast compiles its kernels for this device first; that can take a minute\n");
    trainer_warm_up(trainer);
}

void train_session_close(struct session *session, struct train_kernels *kernels)
{
    train_kernels_close(kernels);
    session_close(session);
}
