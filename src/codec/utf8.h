/*
 * utf8.h - one character of text that may not be UTF-8.
 */
#ifndef PP_CODEC_UTF8_H
#define PP_CODEC_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The length of the character at `text`, of which `size` > 0 bytes are left.  When it is not valid,
 * the length of what one U+FFFD stands for: the longest start of a character, or one byte, as
 * Unicode recommends.
 */
size_t pp_utf8_next(const unsigned char *text, size_t size, bool *valid);

#endif
