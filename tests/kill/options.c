/*
 * options.c - see options.h.
 */
#include "options.h"

#include <getopt.h>
#include <stdlib.h>

int options_read(struct settings *settings, int argc, char **argv)
{
    static const struct option options[] = {
        {"region", required_argument, NULL, 'r'}, {"host", required_argument, NULL, 'h'},
        {"peer", required_argument, NULL, 'p'},   {"workers", required_argument, NULL, 'w'},
        {"sample", required_argument, NULL, 'n'}, {"seed", required_argument, NULL, 's'},
        {"at", required_argument, NULL, 'a'},     {"label", required_argument, NULL, 'l'},
        {"map", no_argument, NULL, 'm'},          {"alone", no_argument, NULL, '1'},
        {"in", required_argument, NULL, 'i'},     {NULL, 0, NULL, 0}};
    int letter = 0;
    while ((letter = getopt_long(argc, argv, "", options, NULL)) >= 0)
        switch (letter) {
        case 'r':
            settings->region = optarg;
            break;
        case 'h':
            settings->host = optarg;
            break;
        case 'p':
            settings->peer = optarg;
            break;
        case 'w':
            settings->workers = optarg;
            break;
        case 'l':
            settings->label = optarg;
            break;
        case 'n':
            settings->sample = strtol(optarg, NULL, 10);
            break;
        case 's':
            settings->seed = strtoull(optarg, NULL, 10);
            break;
        case 'a':
            settings->at = strtol(optarg, NULL, 10);
            break;
        case 'i':
            settings->in = optarg;
            break;
        case '1':
            settings->alone = true;
            break;
        case 'm':
            settings->map = true;
            break;
        default:
            return -1;
        }
    return optind == argc ? 0 : -1;
}
