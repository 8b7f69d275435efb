/*
 * backtraces.c - the text that a dying worker left, or an exception's: lines that name files and offsets, or
 * anything else.  The input is the text.
 */
#include "fuzz.h"

#include "task/symbolise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    CHECK(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    char *made = pp_symbolise(text);
    CHECK(made != NULL);
    for (const char *at = made; *at != '\0'; at++)
        CHECK(*at == '\n' || (unsigned char)*at >= ' ');
    CHECK((text[0] == '\0') == (made[0] == '\0'));
    free(made);
    free(text);
    return 0;
}
