/*
 * codec_print.c - promises of pp_value_print.
 */
#include "codec_support.h"

#include <float.h>
#include <limits.h>
#include <locale.h>
#include <math.h>

/* The text belongs to the caller. */
static char *printed(const pp_value *value)
{
    char  *text = NULL;
    size_t size = 0;
    FILE  *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    assert_int_equal(pp_value_print(value, stream), 0);
    assert_int_equal(fclose(stream), 0);
    return text;
}

#define PRINTS(text, ...)                                             \
    do {                                                              \
        struct packed packed_;                                        \
        char         *text_ = printed(result(&packed_, __VA_ARGS__)); \
        assert_string_equal(text_, text);                             \
        free(text_);                                                  \
        release(&packed_);                                            \
    } while (0)

#define FOREIGN_PRINTS(text, wire)                                                \
    do {                                                                          \
        struct packed packed_;                                                    \
        char         *text_ = printed(foreign(&packed_, wire, sizeof(wire) - 1)); \
        assert_string_equal(text_, text);                                         \
        free(text_);                                                              \
        release(&packed_);                                                        \
    } while (0)

static void scalars_are_json(void **state)
{
    (void)state;
    PRINTS("null", "z");
    PRINTS("true", "b", true);
    PRINTS("false", "b", false);
    PRINTS("-2147483648", "i", INT_MIN);
    PRINTS("18446744073709551615", "U", UINT64_MAX);
    PRINTS("-9223372036854775808", "I", INT64_MIN);
}

static void lists_and_maps_are_json(void **state)
{
    (void)state;
    PRINTS("[]", "[]");
    PRINTS("{}", "{}");
    PRINTS("[1, [2, \"x\"], {\"a\": 3, \"b\": [null]}]", "i[is]{\"a\": i, \"b\": [z]}", 1, 2, "x",
           3);
}

static void a_double_is_the_shortest_text_that_reads_back(void **state)
{
    static const double doubles[] = {0.1,  1.0 / 3,  2.0 / 3,          DBL_MAX,    DBL_MIN, 5e-324,
                                     1e22, -1.7e-10, 9007199254740992, 123456.789, 0x1p-50, 100};
    (void)state;
    PRINTS("0.1", "d", 0.1);
    PRINTS("2.5", "d", 2.5);
    PRINTS("1.0", "d", 1.0);
    PRINTS("-0.0", "d", -0.0);
    PRINTS("1e+300", "d", 1e300);
    PRINTS("5e-324", "d", 5e-324);
    PRINTS("0.30000000000000004", "d", 0.1 + 0.2);
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
        struct packed packed;
        char         *text = printed(result(&packed, "d", doubles[i]));
        assert_true(strtod(text, NULL) == doubles[i]);
        free(text);
        release(&packed);
    }
}

static void what_is_not_finite_is_null(void **state)
{
    (void)state;
    PRINTS("[null, null, null]", "ddd", NAN, INFINITY, -INFINITY);
}

static void the_locale_does_not_change_the_point(void **state)
{
    static const char *const commas[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "ps_AF.UTF-8"};
    (void)state;
    for (size_t i = 0; i < sizeof commas / sizeof *commas; i++) {
        if (setlocale(LC_NUMERIC, commas[i]) == NULL)
            continue; /* not on this machine */
        PRINTS("[2.5, 1e-07, 0.1]", "ddd", 2.5, 1e-7, 0.1);
    }
    setlocale(LC_NUMERIC, "C");
}

static void strings_are_escaped(void **state)
{
    (void)state;
    PRINTS("\"\"", "s", "");
    PRINTS("\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"", "s",
           "a\"b\\c/\b\f\n\r\t\x01\x1f\x7f");
    PRINTS("\"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"", "s",
           "h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
    FOREIGN_PRINTS("\"a\\u0000b\"", "\xa3"
                                    "a\0b");
}

static void a_long_text_is_printed_whole_and_in_order(void **state)
{
    enum { LONG = 5000 };
    char *text = calloc(1, LONG + 1), *expected = calloc(1, 4 * LONG);
    (void)state;
    assert_non_null(text);
    assert_non_null(expected);
    for (size_t length = 0; length <= LONG; length += length < 1030 ? 1 : 331) {
        memset(text, 'x', length);
        sprintf(expected, "[1, \"%s\", \"\\n%s\"]", text, text);
        char *broken = malloc(length + 2);
        assert_non_null(broken);
        sprintf(broken, "\n%s", text);
        PRINTS(expected, "iss", 1, text, broken);
        free(broken);
    }
    free(text);
    free(expected);
}

#define FFFD "\xef\xbf\xbd"

static void what_is_not_utf8_is_replaced(void **state)
{
    (void)state;
    PRINTS("\"a" FFFD "b\"", "s",
           "a\xff"
           "b");
    PRINTS("\"" FFFD FFFD "\"", "s", "\xc0\xaf");                   /* overlong */
    PRINTS("\"" FFFD FFFD FFFD "\"", "s", "\xe0\x80\xaf");          /* overlong */
    PRINTS("\"" FFFD FFFD FFFD "\"", "s", "\xed\xa0\x80");          /* surrogate */
    PRINTS("\"" FFFD FFFD FFFD FFFD "\"", "s", "\xf4\x90\x80\x80"); /* beyond U+10FFFF */
    PRINTS("\"" FFFD "x\"", "s", "\xe2\x82x");                      /* cut short */
    PRINTS("\"" FFFD "\"", "s", "\xf0\x9f\x98");                    /* ... by the end */
    PRINTS("\"" FFFD "\"", "s", "\x80");
    PRINTS("\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"", "s",
           "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"); /* at the limits, and good */
}

static void bytes_are_base64(void **state)
{
    struct packed packed;
    (void)state;
    PRINTS("\"\"", "y", NULL, (size_t)0);
    PRINTS("\"Zg==\"", "y", "f", (size_t)1);
    PRINTS("\"Zm8=\"", "y", "fo", (size_t)2);
    PRINTS("\"Zm9v\"", "y", "foo", (size_t)3);
    PRINTS("\"Zm9vYg==\"", "y", "foob", (size_t)4);
    PRINTS("\"+/8=\"", "y", "\xfb\xff", (size_t)2);
    char *text = printed(payload(&packed, "\xc1\xff", 2));
    assert_string_equal(text, "\"wf8=\"");
    free(text);
    release(&packed);
}

static void a_buffer_is_its_size(void **state)
{
    pp_buffer *buffer;
    (void)state;
    assert_int_equal(pp_buffer_create(&buffer, 123), 0);
    PRINTS("[{\"buffer\": 123}, {\"buffer\": 123}]", "BB", buffer, buffer);
    pp_buffer_unref(buffer);
}

static void a_key_that_is_not_a_string_is_quoted_json(void **state)
{
    (void)state;
    FOREIGN_PRINTS("{\"1\": 2, \"null\": \"x\", \"true\": false}", "\x83\x01\x02\xc0\xa1x\xc3\xc2");
    FOREIGN_PRINTS("{\"[1, \\\"a\\\\\\\"\\\"]\": 2}", "\x81\x92\x01\xa2"
                                                      "a\"\x02");
    FOREIGN_PRINTS("{\"{\\\"k\\\": 1, \\\"2\\\": 3}\": [\"x\"]}",
                   "\x81\x82\xa1k\x01\x02\x03\x91\xa1x");
    FOREIGN_PRINTS("{\"Zg==\": 1}", "\x81\xc4\x01"
                                    "f\x01");
}

static void keys_in_keys_do_not_make_the_text_explode(void **state)
{
    enum { DEEP = PP_MAX_DEPTH };
    unsigned char wire[2 * DEEP + 1];
    struct packed packed;
    (void)state;
    FOREIGN_PRINTS("{\"{\\\"gQEC\\\": 3}\": 4}", "\x81\x81\x81\x01\x02\x03\x04");
    memset(wire, 0x81, DEEP);
    memset(wire + DEEP, 0x01, DEEP + 1);
    char *text = printed(foreign(&packed, wire, sizeof wire));
    assert_true(strlen(text) < 1000);
    free(text);
    release(&packed);
}

static void the_deepest_value_is_printed(void **state)
{
    unsigned char wire[PP_MAX_DEPTH + 1];
    struct packed packed;
    (void)state;
    memset(wire, 0x91, sizeof wire - 1);
    wire[sizeof wire - 1] = 0x01;
    char *text = printed(foreign(&packed, wire, sizeof wire));
    assert_int_equal(strlen(text), 2 * PP_MAX_DEPTH + 1);
    free(text);
    release(&packed);
}

static void a_stream_that_fails_is_an_error(void **state)
{
    struct packed   packed;
    const pp_value *value = result(&packed, "[sss]", "one", "two", "three");
    (void)state;
    FILE *stream = fopen("/dev/null", "r"); /* not for writing */
    assert_non_null(stream);
    assert_int_equal(pp_value_print(value, stream), -EBADF);
    fclose(stream);

    stream = fopen("/dev/full", "w");
    assert_non_null(stream);
    setvbuf(stream, NULL, _IONBF, 0);
    assert_int_equal(pp_value_print(value, stream), -ENOSPC);
    fclose(stream);

    assert_int_equal(pp_value_print(value, NULL), -EINVAL);
    assert_int_equal(pp_value_print(NULL, stdout), -EINVAL);
    release(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_are_json),
        cmocka_unit_test(lists_and_maps_are_json),
        cmocka_unit_test(a_double_is_the_shortest_text_that_reads_back),
        cmocka_unit_test(what_is_not_finite_is_null),
        cmocka_unit_test(the_locale_does_not_change_the_point),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(a_long_text_is_printed_whole_and_in_order),
        cmocka_unit_test(what_is_not_utf8_is_replaced),
        cmocka_unit_test(bytes_are_base64),
        cmocka_unit_test(a_buffer_is_its_size),
        cmocka_unit_test(a_key_that_is_not_a_string_is_quoted_json),
        cmocka_unit_test(keys_in_keys_do_not_make_the_text_explode),
        cmocka_unit_test(the_deepest_value_is_printed),
        cmocka_unit_test(a_stream_that_fails_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
