/* SPDX-License-Identifier: Apache-2.0 */
#include "clnorm.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/no_device.h"
#include "cli/options.h"
#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>

static int print_help(const struct option_row *rows)
{
    printf("usage: clnorm devices\n"
           "\n"
           "A line for each OpenCL device, its fields separated by tabs: number, platform, name, driver, and what it\n"
           "promises: \"same bits\", \"same bits except where subnormals arise\" or \"no promise\". It is the driver's "
           "word;\n"
           "`clnorm check` puts it to the test.\n"
           "Exit status 1 when there is no device.\n"
           "\n"
           "options:\n");
    options_help(rows);
    return finish_output();
}

static int list_devices(void)
{
    clnorm_device_info *infos;
    size_t count = 0, room;
    int status = clnorm_list_devices(0, NULL, &count);

    if (status == CLNORM_SUCCESS && count == 0) {
        complain_no_device();
        return STATUS_FAILED;
    }
    room = count;
    infos = calloc(room ? room : 1, sizeof(*infos));
    if (!infos) {
        complain("out of memory");
        return STATUS_FAILED;
    }
    if (status == CLNORM_SUCCESS)
        status = clnorm_list_devices(room, infos, &count);
    if (status != CLNORM_SUCCESS) {
        complain("cannot list the devices: %s (status %d)", clnorm_status_string(status), status);
        free(infos);
        return STATUS_FAILED;
    }
    for (size_t i = 0; i < count && i < room; i++)
        printf("%zu\t%s\t%s\t%s\t%s\n", i, infos[i].platform_name, infos[i].name, infos[i].driver,
               promise_text(infos[i].bits));
    free(infos);
    return finish_output();
}

int command_devices(int count, char *const *arguments, int is_verbose)
{
    int is_help = 0;
    struct option_row rows[] = {
        OPTION_ROW_VERBOSE(&is_verbose),
        OPTION_ROW_HELP(&is_help),
        OPTION_ROW_END,
    };

    if (options_parse(rows, count, arguments) != 0)
        return STATUS_USAGE;
    return is_help ? print_help(rows) : list_devices();
}
