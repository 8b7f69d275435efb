/*
 * codec_format.c - promises of src/codec/format.c.
 */
#include "codec/format.h"
#include "codec_support.h"

static void check_good(const char *format, size_t positional, size_t keywords)
{
    struct pp_shape shape;
    assert_int_equal(pp_format_check(format, &shape), 0);
    assert_int_equal(shape.positional, positional);
    assert_int_equal(shape.keywords, keywords);
}

static void check_bad(const char *format)
{
    struct pp_shape shape = {.positional = 77};
    if (pp_format_check(format, &shape) != -EINVAL)
        fail_msg("accepted: %s", format);
    assert_int_equal(shape.positional, 77);
}

static void a_format_counts_its_terms(void **state)
{
    (void)state;
    check_good(NULL, 0, 0);
    check_good("", 0, 0);
    check_good(" \t\n", 0, 0);
    check_good("zbiuIUdsyvB", 11, 0);
    check_good("[]", 1, 0);
    check_good("{}", 1, 0);
    check_good("[i[d]s]{\"a\":i,\"b\":{\"c\":[]}}", 2, 0);
    check_good("i d name=s", 2, 1);
    check_good("a=ib=d", 0, 2);
    check_good("a?=i b=[ii] _c3={\"x\":i}", 0, 3);
}

static void white_space_is_ignored(void **state)
{
    (void)state;
    check_good(" i\ti\ni ", 3, 0);
    check_good("[ i [ d ] s ] ", 1, 0);
    check_good("{ \"a\" : i , \"b\" : s }", 1, 0);
    check_good("i  name = s  other ?= d", 1, 2);
}

static void white_space_ends_a_name(void **state)
{
    (void)state;
    check_good("i i=s", 1, 1);
    check_good("ii=s", 0, 1);
}

static void a_key_may_hold_anything_but_quotes_and_backslashes(void **state)
{
    (void)state;
    check_good("{\"a ]}[{,:=?\": [ii], \"\": i}i", 2, 0);
    check_bad("{\"a\\\"b\": i}");
}

static void what_is_no_format_is_refused_with_einval(void **state)
{
    static const char *const bad[] = {
        "x",          "i,i",       "[",          "]",
        "[i",         "i]",        "[i}",        "{",
        "}",          "{]",        "{i}",        "{\"a\"}",
        "{\"a\":}",   "{\"a\":i",  "{\"a\":i,}", "{\"a\":i \"b\":i}",
        "{,\"a\":i}", "{\"a\" i}", "{\"a:i}",    "{a:i}",
        "{\"a\":ii}", "[i,i]",     "[a=i]",      "{\"a\":b=i}",
        "=i",         "?=i",       "a=",         "a?=",
        "a= =i",      "a? =i",     "1=i",        "a==i",
        "a=i i",      "a=i [i]",   "i:i",        "\"a\":i",
        "i\x80",      "[[i]",      "{\"a\":[}]", "a=b=i",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_bad(bad[i]);
}

static void the_same_name_twice_is_refused_with_einval(void **state)
{
    (void)state;
    check_bad("a=i a=s");
    check_bad("a=i b=[ii] a?=s");
    check_bad("{\"a\":i,\"a\":i}");
    check_bad("[{\"b\":i,\"a\":{\"a\":i},\"b\":i}]");
    check_good("a=i ab=i b={\"a\":i,\"b\":{\"a\":i}}", 0, 3);
}

static void nesting_beyond_the_depth_is_refused_with_einval(void **state)
{
    char format[2 * (PP_MAX_DEPTH + 1) + 1];
    (void)state;
    memset(format, '[', PP_MAX_DEPTH);
    memset(format + PP_MAX_DEPTH, ']', PP_MAX_DEPTH);
    format[2 * PP_MAX_DEPTH] = '\0';
    check_good(format, 1, 0);
    memset(format, '[', PP_MAX_DEPTH + 1);
    memset(format + PP_MAX_DEPTH + 1, ']', PP_MAX_DEPTH + 1);
    format[2 * (PP_MAX_DEPTH + 1)] = '\0';
    check_bad(format);
}

static void no_start_of_a_format_is_read_beyond_its_end(void **state)
{
    static const char whole[] = "i [d {\"key\": s, \"k2\": [b]}] name = i other ?= {\"x\": y}";
    struct pp_shape   shape;
    (void)state;
    for (size_t size = 0; size < sizeof whole; size++) {
        char *start = malloc(size + 1); /* a sanitizer watches its end */
        assert_non_null(start);
        memcpy(start, whole, size);
        start[size] = '\0';
        int error = pp_format_check(start, &shape);
        assert_true(error == 0 || error == -EINVAL);
        free(start);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_format_counts_its_terms),
        cmocka_unit_test(white_space_is_ignored),
        cmocka_unit_test(white_space_ends_a_name),
        cmocka_unit_test(a_key_may_hold_anything_but_quotes_and_backslashes),
        cmocka_unit_test(what_is_no_format_is_refused_with_einval),
        cmocka_unit_test(the_same_name_twice_is_refused_with_einval),
        cmocka_unit_test(nesting_beyond_the_depth_is_refused_with_einval),
        cmocka_unit_test(no_start_of_a_format_is_read_beyond_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
