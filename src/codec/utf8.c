/*
 * utf8.c - the well-formed byte sequences of Unicode, table 3-7.
 *
 * The first byte gives the length and the range of the second byte, which keeps out overlong
 * forms, surrogates and what is beyond U+10FFFF; all further bytes are 80..BF.
 */
#include "codec/utf8.h"

struct lead {
    size_t        length; /* 0: no character begins like that */
    unsigned char low, high;
};

static struct lead lead_of(unsigned char first)
{
    struct lead lead = {.low = 0x80, .high = 0xbf};
    lead.length = first < 0x80                   ? 1
                  : first < 0xc2 || first > 0xf4 ? 0
                  : first < 0xe0                 ? 2
                  : first < 0xf0                 ? 3
                                                 : 4;
    if (first == 0xe0)
        lead.low = 0xa0;
    else if (first == 0xed)
        lead.high = 0x9f;
    else if (first == 0xf0)
        lead.low = 0x90;
    else if (first == 0xf4)
        lead.high = 0x8f;
    return lead;
}

size_t pp_utf8_next(const unsigned char *text, size_t size, bool *valid)
{
    const struct lead lead = lead_of(text[0]);
    size_t            length = 1;
    while (length < lead.length && length < size) {
        unsigned char low = length == 1 ? lead.low : 0x80;
        unsigned char high = length == 1 ? lead.high : 0xbf;
        if (text[length] < low || text[length] > high)
            break;
        length++;
    }
    *valid = length == lead.length;
    return length;
}
