/* SPDX-License-Identifier: Apache-2.0 */
/* The tool's commands: each takes the arguments behind its name and returns an exit status. */
#ifndef CLNORM_CLI_COMMANDS_H
#define CLNORM_CLI_COMMANDS_H

/* is_verbose: the global option, which each command takes as well. */
int command_devices(int count, char *const *arguments, int is_verbose);
int command_forward(int count, char *const *arguments, int is_verbose);
int command_backward(int count, char *const *arguments, int is_verbose);
int command_fold(int count, char *const *arguments, int is_verbose);
int command_check(int count, char *const *arguments, int is_verbose);
int command_train(int count, char *const *arguments, int is_verbose);
int command_predict(int count, char *const *arguments, int is_verbose);
int command_bench(int count, char *const *arguments, int is_verbose);
int command_tune(int count, char *const *arguments, int is_verbose);

/* clang-format off */
/* Rows that tables of options share; place is where the value goes. */
#define OPTION_ROW_LAYOUT(place)                                                                                       \
    {.name = "layout", .kind = OPTION_CHOICE, .target = place, .argument = "channels-first|channels-last",             \
     .help = "where the channel axis is: second (the default) or last"}
#define OPTION_ROW_GROUP_SAMPLES(target_, help_)                                                                       \
    {                                                                                                                  \
        .name = "group-samples", .kind = OPTION_WHOLE, .target = target_, .argument = "G", .least = 1, .most = 1e15,   \
        .help = help_, .expected = "a whole number above 0"                                                            \
    }
#define OPTION_ROW_GROUP_CHANNELS(target_)                                                                             \
    {                                                                                                                  \
        .name = "group-channels", .kind = OPTION_WHOLE, .target = target_, .argument = "K", .least = 1,                \
        .most = CLNORM_MOST_GROUP_CHANNELS, .expected = "a whole number from 1 to 65536",                              \
        .help = "statistics of each K neighbouring channels together, which then have a value\n"                       \
                "for each such group (with --group-samples 1: group norm; of all channels:\n"                          \
                "layer norm); default: of each channel",                                                               \
    }
#define OPTION_ROW_EPSILON(place)                                                                                      \
    {.name = "epsilon", .kind = OPTION_NUMBER, .target = place, .argument = "E", .least = 0, .most = 3.5e38,           \
     .expected = "a finite number >= 0", .help = "added to the variance; default 1e-5"}
#define OPTION_ROW_MODE(place, words)                                                                                  \
    {.name = "mode", .kind = OPTION_CHOICE, .target = place, .argument = "train|infer", .help = words}
#define OPTION_ROW_FILE(option, place, words)                                                                          \
    {.name = option, .kind = OPTION_TEXT, .target = place, .argument = "FILE", .help = words}
#define OPTION_ROW_FLAG(option, place, words)                                                                          \
    {.name = option, .kind = OPTION_FLAG, .target = place, .help = words}
#define OPTION_ROW_DEVICE(place)                                                                                       \
    {.name = "device", .kind = OPTION_TEXT, .target = place, .argument = "D",                                          \
     .expected = "a number or part of a name from `clnorm devices`",                                                   \
     .help = "a number from `clnorm devices` or part of a name; default: the environment\n"                            \
             "variable CLNORM_DEVICE, or else the best device there is"}
#define OPTION_ROW_ACTIVATION(place, words)                                                                            \
    {.name = "activation", .kind = OPTION_PARSED, .target = place, .parse = activation_parse,                          \
     .argument = "none|relu|leaky:SLOPE|clip:CAP", .help = words,                                                      \
     .expected = "none, relu, leaky:SLOPE with a finite SLOPE, or clip:CAP with a finite CAP above 0"}
#define OPTION_ROW_BFLOAT16(place)                                                                                     \
    OPTION_ROW_FLAG("bfloat16", place, "tensors are bfloat16, in files of '<u2'; without it '<f4' or '<f2' counts")
#define OPTION_ROW_TYPE(place, words)                                                                                  \
    {.name = "type", .kind = OPTION_CHOICE, .target = place, .argument = "float32|float16|bfloat16", .help = words}
#define OPTION_ROW_VERBOSE(place) OPTION_ROW_FLAG("verbose", place, "show every message of the library")
#define OPTION_ROW_HELP(place) OPTION_ROW_FLAG("help", place, "show this text")
#define OPTION_ROW_END {.name = 0}
/* clang-format on */

#endif
