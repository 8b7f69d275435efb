/*
 * codec_bytes.c - promises of src/codec/bytes.c.
 */
#include "codec_support.h"

static void what_was_appended_is_kept_while_it_grows(void **state)
{
    struct pp_bytes bytes = {0};
    (void)state;
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(pp_bytes_append(&bytes, &(unsigned char){(unsigned char)i}, 1), 0);
    assert_int_equal(bytes.size, 10000);
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(bytes.data[i], (unsigned char)i);
    pp_bytes_free(&bytes);
    assert_null(bytes.data);
    assert_int_equal(bytes.size, 0);
}

static void nothing_may_be_appended_from_null(void **state)
{
    struct pp_bytes bytes = {0};
    (void)state;
    assert_int_equal(pp_bytes_append(&bytes, NULL, 0), 0);
    assert_null(bytes.data);
}

static void a_size_beyond_the_address_space_is_eoverflow(void **state)
{
    struct pp_bytes bytes = {0};
    (void)state;
    assert_int_equal(pp_bytes_reserve(&bytes, SIZE_MAX), -EOVERFLOW);
    assert_int_equal(pp_bytes_append(&bytes, "abc", 3), 0);
    assert_int_equal(pp_bytes_reserve(&bytes, PTRDIFF_MAX), -EOVERFLOW);
    assert_int_equal(bytes.size, 3);
    assert_memory_equal(bytes.data, "abc", 3);
    pp_bytes_free(&bytes);
}

static void reset_forgets_the_contents_and_keeps_the_memory(void **state)
{
    struct pp_bytes bytes = {0};
    (void)state;
    assert_int_equal(pp_bytes_reserve(&bytes, 1000), 0);
    assert_int_equal(pp_bytes_append(&bytes, "abc", 3), 0);
    const unsigned char *data = bytes.data;
    pp_bytes_reset(&bytes);
    assert_int_equal(bytes.size, 0);
    assert_int_equal(pp_bytes_reserve(&bytes, 1000), 0);
    assert_ptr_equal(bytes.data, data);
    pp_bytes_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_appended_is_kept_while_it_grows),
        cmocka_unit_test(nothing_may_be_appended_from_null),
        cmocka_unit_test(a_size_beyond_the_address_space_is_eoverflow),
        cmocka_unit_test(reset_forgets_the_contents_and_keeps_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
