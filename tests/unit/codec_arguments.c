/*
 * codec_arguments.c - unpacking arguments by place and by keyword, and payloads that are bytes.
 */
#include "codec_support.h"

#include <float.h>
#include <limits.h>
#include <math.h>

#define TWO_TO_53 INT64_C(9007199254740992)

/* ------------------------------------------------------------------ arguments */

static void arguments_come_by_place_and_by_keyword(void **state)
{
    struct packed packed;
    int           i = 0, count = 0;
    const char   *name = NULL;
    double        ratio = 0;
    (void)state;
    arguments(&packed, "i name=s count=i ratio=d", 1, "x", 2, 0.5);
    assert_int_equal(unpack_arguments(&packed.document, "i ratio=d name=s count=i", &i, &ratio,
                                      &name, &count),
                     0);
    assert_true(i == 1 && count == 2 && ratio == 0.5);
    assert_string_equal(name, "x");
    release(&packed);
}

static void no_arguments_are_no_format(void **state)
{
    struct packed packed;
    int           i = 77;
    (void)state;
    arguments(&packed, NULL);
    assert_int_equal(unpack_arguments(&packed.document, NULL), 0);
    assert_int_equal(unpack_arguments(&packed.document, " "), 0);
    assert_int_equal(unpack_arguments(&packed.document, "i", &i), -ENOENT);
    assert_int_equal(unpack_arguments(&packed.document, "z"), -ENOENT);
    assert_int_equal(i, 77);
    release(&packed);
}

static void a_missing_argument_is_enoent_and_one_too_many_e2big(void **state)
{
    struct packed packed;
    int           a = 77, b = 77;
    (void)state;
    arguments(&packed, "i k=i", 1, 2);
    assert_int_equal(unpack_arguments(&packed.document, "ii k=i", &a, &b, &b), -ENOENT);
    assert_int_equal(unpack_arguments(&packed.document, "i other=i", &a, &b), -ENOENT);
    assert_int_equal(unpack_arguments(&packed.document, "k=i", &a), -E2BIG);
    assert_int_equal(unpack_arguments(&packed.document, "i", &a), -E2BIG);
    assert_int_equal(unpack_arguments(&packed.document, NULL), -E2BIG);
    assert_int_equal(unpack_arguments(&packed.document, "i other?=i", &a, &b), -E2BIG);
    assert_int_equal(unpack_arguments(&packed.document, "i k=s", &a, &(const char *){0}), -EINVAL);
    assert_int_equal(unpack_arguments(&packed.document, "i k?=s", &a, &(const char *){0}), -EINVAL);
    assert_int_equal(unpack_arguments(&packed.document, "k=i i", &a, &b), -EINVAL);
    assert_true(a == 77 && b == 77);
    release(&packed);
}

static void an_optional_keyword_that_is_absent_leaves_its_target_alone(void **state)
{
    struct packed   packed;
    int             i = 0, a = 77, b = 77, last = 0;
    const char     *s = "default";
    const void     *y = &a;
    size_t          size = 77;
    const pp_value *v = NULL;
    (void)state;
    arguments(&packed, "i last=i", 1, 2);
    assert_int_equal(unpack_arguments(&packed.document,
                                      "i list?=[i{\"b\": i}s] y?=y v?=v z?=z last?=i", &i, &a, &b,
                                      &s, &y, &size, &v, &last),
                     0);
    assert_true(i == 1 && last == 2);
    assert_true(a == 77 && b == 77 && y == &a && size == 77 && v == NULL);
    assert_string_equal(s, "default");
    release(&packed);
}

static void an_optional_keyword_that_is_there_is_taken(void **state)
{
    struct packed packed;
    int           a = 77, b = 77;
    (void)state;
    arguments(&packed, "list=[i{\"b\": i}]", 1, 2);
    assert_int_equal(unpack_arguments(&packed.document, "list?=[i{\"b\": i}]", &a, &b), 0);
    assert_true(a == 1 && b == 2);
    /* absent are keywords, not what stands in them */
    assert_int_equal(unpack_arguments(&packed.document, "list?=[i{\"c\": i}]", &a, &b), -ENOENT);
    release(&packed);
}

static void an_argument_may_be_any_value(void **state)
{
    struct packed   packed;
    const pp_value *list = NULL, *keyword = NULL;
    int             a = 0, b = 0;
    (void)state;
    arguments(&packed, "[ii] k={\"x\": i}", 1, 2, 3);
    assert_int_equal(unpack_arguments(&packed.document, "v k=v", &list, &keyword), 0);
    assert_int_equal(pp_value_unpack(list, "ii", &a, &b), 0);
    assert_true(a == 1 && b == 2);
    assert_int_equal(pp_value_unpack(keyword, "{\"x\": i}", &a), 0);
    assert_int_equal(a, 3);
    release(&packed);
}

static void arguments_that_are_not_of_that_form_are_ebadmsg(void **state)
{
    static const struct {
        const char *wire;
        size_t      size;
    } bad[] = {
        {"", 0},                               /* nothing */
        {"\x01", 1},                           /* no list */
        {"\x80", 1},                           /* keywords alone */
        {"\x90\x01", 2},                       /* no map behind it */
        {"\x90\x90", 2},                       /* ... but a list */
        {"\x90\x80\x80", 3},                   /* one too many */
        {"\x90\x81\x01\x02", 4},               /* a keyword that is a number */
        {"\x90\x81\xa1k", 4},                  /* a keyword without value */
        {"\x90\x81\xc4\x01k\x02", 6},          /* a keyword that is bytes */
        {"\x91\xc1", 2},                       /* a byte that means nothing */
        {"\x92\x01", 2},                       /* half of them */
        {"\x90\x81\xa1k\xd6\x42\0\0\0\0", 10}, /* a buffer from nowhere */
    };
    struct pp_document document;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(
            pp_document_init(&document, bad[i].wire, bad[i].size, false, true, NULL, 0), -EBADMSG);
        assert_null(document.data);
        pp_document_clear(&document);
    }
    assert_int_equal(pp_document_init(&document, NULL, 3, false, true, NULL, 0), -EBADMSG);
    assert_int_equal(pp_document_init(&document, "\x90\x80", 2, false, true, NULL, 0), 0);
    assert_int_equal(unpack_arguments(&document, ""), 0);
    pp_document_clear(&document);
    pp_document_clear(&document);
}

/* --------------------------------------------------------- a payload of bytes */

static void a_payload_is_one_argument_of_bytes(void **state)
{
    struct packed   packed;
    static char     bytes[] = "\xc1 raw";
    const pp_value *root = payload(&packed, bytes, sizeof bytes), *value = NULL;
    const void     *data = NULL;
    size_t          size = 0;
    int             i = 77;
    (void)state;
    assert_int_equal(unpack_arguments(&packed.document, "y", &data, &size), 0);
    assert_ptr_equal(data, bytes);
    assert_int_equal(size, sizeof bytes);
    assert_int_equal(unpack_arguments(&packed.document, "v", &value), 0);
    assert_ptr_equal(value, root);
    data = NULL;
    assert_int_equal(unpack_arguments(&packed.document, "y o?=i", &data, &size, &i), 0);
    assert_ptr_equal(data, bytes);

    assert_int_equal(unpack_arguments(&packed.document, ""), -E2BIG);
    assert_int_equal(unpack_arguments(&packed.document, "i", &i), -EINVAL);
    assert_int_equal(unpack_arguments(&packed.document, "[y]", &data, &size), -EINVAL);
    assert_int_equal(unpack_arguments(&packed.document, "yi", &data, &size, &i), -ENOENT);
    assert_int_equal(unpack_arguments(&packed.document, "y o=i", &data, &size, &i), -ENOENT);
    assert_int_equal(unpack_arguments(&packed.document, "o?=i", &i), -E2BIG);
    assert_int_equal(i, 77);
    release(&packed);
}

static void a_payload_of_a_result_is_bytes(void **state)
{
    struct packed   packed;
    const pp_value *value = payload(&packed, "raw", 3), *same = NULL;
    const void     *data = NULL, *again = NULL;
    size_t          size = 0;
    (void)state;
    assert_int_equal(pp_value_unpack(value, "y", &data, &size), 0);
    assert_int_equal(size, 3);
    assert_memory_equal(data, "raw", 3);
    assert_int_equal(pp_value_unpack(value, "v", &same), 0);
    assert_ptr_equal(same, value);
    assert_int_equal(pp_value_msgpack(value, &data, &size), 0);
    assert_int_equal(size, 5);
    assert_memory_equal(data, "\xc4\x03raw", 5);
    assert_int_equal(pp_value_msgpack(value, &again, &size), 0);
    assert_ptr_equal(again, data);
    release(&packed);
}

static void a_long_payload_has_its_messagepack_too(void **state)
{
    enum { LONG = 70000 };
    struct packed packed;
    char         *bytes = calloc(1, LONG);
    const void   *data = NULL;
    size_t        size = 0;
    (void)state;
    assert_non_null(bytes);
    bytes[LONG - 1] = 'x';
    const pp_value *value = payload(&packed, bytes, LONG);
    assert_int_equal(pp_value_msgpack(value, &data, &size), 0);
    assert_int_equal(size, LONG + 5);
    assert_memory_equal(data, "\xc6\0\x01\x11\x70", 5);
    assert_memory_equal((const char *)data + 5, bytes, LONG);
    release(&packed);
    free(bytes);
}

static void a_payload_longer_than_messagepack_can_say_is_eoverflow(void **state)
{
    struct packed   packed;
    const pp_value *value = payload(&packed, "never read", (size_t)UINT32_MAX + 1);
    const void     *data = &packed;
    size_t          size = 77;
    (void)state;
    assert_int_equal(pp_value_msgpack(value, &data, &size), -EOVERFLOW);
    assert_true(data == &packed && size == 77);
    release(&packed);
}

static void a_payload_of_no_bytes_has_a_place(void **state)
{
    struct packed   packed;
    const pp_value *value = payload(&packed, NULL, 0);
    const void     *data = NULL;
    size_t          size = 77;
    (void)state;
    assert_int_equal(pp_value_unpack(value, "y", &data, &size), 0);
    assert_non_null(data);
    assert_int_equal(size, 0);
    assert_int_equal(pp_value_msgpack(value, &data, &size), 0);
    assert_int_equal(size, 2);
    assert_memory_equal(data, "\xc4\0", 2);
    release(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_come_by_place_and_by_keyword),
        cmocka_unit_test(no_arguments_are_no_format),
        cmocka_unit_test(a_missing_argument_is_enoent_and_one_too_many_e2big),
        cmocka_unit_test(an_optional_keyword_that_is_absent_leaves_its_target_alone),
        cmocka_unit_test(an_optional_keyword_that_is_there_is_taken),
        cmocka_unit_test(an_argument_may_be_any_value),
        cmocka_unit_test(arguments_that_are_not_of_that_form_are_ebadmsg),
        cmocka_unit_test(a_payload_is_one_argument_of_bytes),
        cmocka_unit_test(a_payload_of_a_result_is_bytes),
        cmocka_unit_test(a_long_payload_has_its_messagepack_too),
        cmocka_unit_test(a_payload_longer_than_messagepack_can_say_is_eoverflow),
        cmocka_unit_test(a_payload_of_no_bytes_has_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
