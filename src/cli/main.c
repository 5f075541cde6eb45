/* SPDX-License-Identifier: Apache-2.0 */
#include "clnorm.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/message.h"

#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    int (*run)(int count, char *const *arguments, int is_verbose);
    const char *help;
};

static const struct command commands[] = {
    {"devices", command_devices, "list the OpenCL devices"},
    {"forward", command_forward, "normalize a tensor"},
    {"backward", command_backward, "compute the gradients"},
    {"fold", command_fold, "fold the normalization into the layer before it"},
    {"check", command_check, "test a device: accuracy against float64, bits against the model"},
    {"train", command_train, "train a network with batch norm, and compare it with one without"},
    {"predict", command_predict, "tell classes by a trained network"},
    {"bench", command_bench, "measure the speed, beside that of the device's memory"},
    {"tune", command_tune, "find what is fastest on a device, and store it"},
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static int print_help(void)
{
    printf("usage: clnorm [--verbose] COMMAND [OPTION...]\n"
           "       clnorm --version | --help | COMMAND --help\n"
           "\n"
           "Batch normalization on any OpenCL device, with the same bits on all of them.\n"
           "Files are NumPy's .npy, little-endian in C order: float32, and tensors of float16 and bfloat16.\n"
           "\n"
           "commands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-22s%s\n", commands[i].name, commands[i].help);
    printf("\n"
           "options:\n"
           "  --verbose             show every message of the library\n"
           "\n"
           "exit status: 0 done, 1 failed (or check found a difference), 2 wrong usage\n");
    return finish_output();
}

static int wrong_command(const char *name)
{
    static const char expected[] =
        "expected devices, forward, backward, fold, check, train, predict, bench or tune; clnorm --help tells more";

    if (!name)
        complain("no command given; %s", expected);
    else if (strncmp(name, "--", 2) == 0)
        complain("unknown option '%s'; %s", name, expected);
    else
        complain("unknown command '%s'; %s", name, expected);
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    int at = 1, is_verbose = 0;

    interrupt_watch();
    if (at < argc && strcmp(argv[at], "--verbose") == 0) {
        is_verbose = 1;
        at++;
    }
    if (at == argc)
        return wrong_command(NULL);
    if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "--version") == 0) {
        if (at + 1 < argc) {
            complain("unexpected argument '%s' behind %s", argv[at + 1], argv[at]);
            return STATUS_USAGE;
        }
        if (strcmp(argv[at], "--help") == 0)
            return print_help();
        printf("clnorm %s, numerical contract %d\n", clnorm_version(), CLNORM_CONTRACT_VERSION);
        return finish_output();
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[at], commands[i].name) == 0)
            return commands[i].run(argc - at - 1, argv + at + 1, is_verbose);
    return wrong_command(argv[at]);
}
