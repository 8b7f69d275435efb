/*
 * codec_pack.c - promises of src/codec/pack.c: what stands on the wire, and what is refused.
 */
#include "codec_support.h"

#include <limits.h>

#define WIRE(bytes, text)                                           \
    do {                                                            \
        assert_int_equal((bytes)->size, sizeof(text) - 1);          \
        assert_memory_equal((bytes)->data, text, sizeof(text) - 1); \
        pp_bytes_reset(bytes);                                      \
    } while (0)

/* One for each test. */
static struct pp_bytes       out;
static struct pp_buffer_list list;

static int clear(void **state)
{
    (void)state;
    pp_bytes_free(&out);
    pp_buffer_list_free(&list);
    return 0;
}

static void each_letter_is_one_object(void **state)
{
    (void)state;
    assert_int_equal(pp_pack_result_args(&out, &list, "z"), 0);
    WIRE(&out, "\xc0");
    assert_int_equal(pp_pack_result_args(&out, &list, "b", true), 0);
    WIRE(&out, "\xc3");
    assert_int_equal(pp_pack_result_args(&out, &list, "b", false), 0);
    WIRE(&out, "\xc2");
    assert_int_equal(pp_pack_result_args(&out, &list, "i", -1), 0);
    WIRE(&out, "\xff");
    assert_int_equal(pp_pack_result_args(&out, &list, "i", INT_MIN), 0);
    WIRE(&out, "\xd2\x80\0\0\0");
    assert_int_equal(pp_pack_result_args(&out, &list, "u", UINT_MAX), 0);
    WIRE(&out, "\xce\xff\xff\xff\xff");
    assert_int_equal(pp_pack_result_args(&out, &list, "I", INT64_MIN), 0);
    WIRE(&out, "\xd3\x80\0\0\0\0\0\0\0");
    assert_int_equal(pp_pack_result_args(&out, &list, "U", UINT64_MAX), 0);
    WIRE(&out, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
    assert_int_equal(pp_pack_result_args(&out, &list, "d", 1.5), 0);
    WIRE(&out, "\xcb\x3f\xf8\0\0\0\0\0\0");
    assert_int_equal(pp_pack_result_args(&out, &list, "s", "h\xc3\xa9"), 0);
    WIRE(&out, "\xa3h\xc3\xa9");
    assert_int_equal(pp_pack_result_args(&out, &list, "s", ""), 0);
    WIRE(&out, "\xa0");
    assert_int_equal(pp_pack_result_args(&out, &list, "y", "a\0b", (size_t)3), 0);
    WIRE(&out, "\xc4\x03"
               "a\0b");
    assert_int_equal(pp_pack_result_args(&out, &list, "y", NULL, (size_t)0), 0);
    WIRE(&out, "\xc4\0");
}

static void a_result_of_none_is_null_of_one_itself_of_several_a_list(void **state)
{
    (void)state;
    assert_int_equal(pp_pack_result_args(&out, &list, NULL), 0);
    WIRE(&out, "\xc0");
    assert_int_equal(pp_pack_result_args(&out, &list, " "), 0);
    WIRE(&out, "\xc0");
    assert_int_equal(pp_pack_result_args(&out, &list, "ii", 1, 2), 0);
    WIRE(&out, "\x92\x01\x02");
    assert_int_equal(pp_pack_result_args(&out, &list, "[ii]", 1, 2), 0);
    WIRE(&out, "\x92\x01\x02");
    assert_int_equal(pp_pack_result_args(&out, &list, "[]"), 0);
    WIRE(&out, "\x90");
    assert_int_equal(pp_pack_result_args(&out, &list, "{}"), 0);
    WIRE(&out, "\x80");
    assert_int_equal(pp_pack_result_args(&out, &list, "[]i", 1), 0);
    WIRE(&out, "\x92\x90\x01");
}

static void lists_and_maps_nest_in_the_order_of_the_arguments(void **state)
{
    (void)state;
    assert_int_equal(
        pp_pack_result_args(&out, &list, "{\"a\": [i [s] {}], \"b\": {\"c\": d}}", 1, "x", 2.0), 0);
    WIRE(&out, "\x82\xa1"
               "a\x93\x01\x91\xa1x\x80\xa1"
               "b\x81\xa1"
               "c\xcb\x40\0\0\0\0\0\0\0");
}

static void arguments_are_a_list_and_a_map_only_if_there_are_keywords(void **state)
{
    (void)state;
    assert_int_equal(pack_arguments(&out, &list, NULL), 0);
    WIRE(&out, "\x90");
    assert_int_equal(pack_arguments(&out, &list, "i", 7), 0);
    WIRE(&out, "\x91\x07");
    assert_int_equal(pack_arguments(&out, &list, "[i]", 7), 0);
    WIRE(&out, "\x91\x91\x07");
    assert_int_equal(pack_arguments(&out, &list, "i a=i b=[s]", 7, 8, "x"), 0);
    WIRE(&out, "\x91\x07\x82\xa1"
               "a\x08\xa1"
               "b\x91\xa1x");
    assert_int_equal(pack_arguments(&out, &list, "a=z"), 0);
    WIRE(&out, "\x90\x81\xa1"
               "a\xc0");
}

static void packing_appends(void **state)
{
    (void)state;
    assert_int_equal(pp_pack_result_args(&out, &list, "i", 1), 0);
    assert_int_equal(pp_pack_result_args(&out, &list, "i", 2), 0);
    WIRE(&out, "\x01\x02");
}

/* Fails like that, and leaves everything as it was. */
#define REFUSED(error, pack, ...)                                \
    do {                                                         \
        size_t size_ = out.size, count_ = list.count;            \
        assert_int_equal(pack(&out, &list, __VA_ARGS__), error); \
        assert_int_equal(out.size, size_);                       \
        assert_int_equal(list.count, count_);                    \
    } while (0)

static void what_cannot_be_packed_is_refused_with_einval(void **state)
{
    (void)state;
    assert_int_equal(pp_pack_result_args(&out, &list, "s", "before"), 0);
    REFUSED(-EINVAL, pack_arguments, "x");
    REFUSED(-EINVAL, pack_arguments, "i[", 1);
    REFUSED(-EINVAL, pack_arguments, "is", 1, NULL);
    REFUSED(-EINVAL, pack_arguments, "iv", 1, NULL);
    REFUSED(-EINVAL, pack_arguments, "iB", 1, NULL);
    REFUSED(-EINVAL, pack_arguments, "iy", 1, NULL, (size_t)1);
    REFUSED(-EINVAL, pack_arguments, "a=i a=i", 1, 2);
    REFUSED(-EINVAL, pack_arguments, "a=i i", 1, 2);
    REFUSED(-EINVAL, pack_arguments, "a?=i", 1);
    REFUSED(-EINVAL, pack_arguments, "{\"a\":i,\"a\":i}", 1, 2);
    REFUSED(-EINVAL, pp_pack_result_args, "a=i", 1);
    REFUSED(-EINVAL, pp_pack_result_args, "ia=i", 1);
    REFUSED(-EINVAL, pp_pack_result_args, "i a=i", 1, 1);
    REFUSED(-EINVAL, pp_pack_result_args, "[[[is]]]", 1, NULL);
    WIRE(&out, "\xa6"
               "before");
}

static void bytes_longer_than_messagepack_can_say_are_refused_with_eoverflow(void **state)
{
    (void)state;
    REFUSED(-EOVERFLOW, pp_pack_result_args, "iy", 1, "short", (size_t)UINT32_MAX + 1);
    assert_int_equal(pp_pack_bin(&out, "short", (size_t)UINT32_MAX + 1), -EOVERFLOW);
}

static void a_buffer_goes_by_index_and_is_listed_once(void **state)
{
    pp_buffer *a, *b;
    (void)state;
    assert_int_equal(pp_buffer_create(&a, 10), 0);
    assert_int_equal(pp_buffer_create(&b, 0), 0);
    assert_int_equal(pp_pack_result_args(&out, &list, "BBB", a, b, a), 0);
    WIRE(&out, "\x93\xd6"
               "B\0\0\0\0\xd6"
               "B\0\0\0\x01\xd6"
               "B\0\0\0\0");
    assert_int_equal(list.count, 2);
    pp_buffer_unref(a); /* the list has its own references */
    pp_buffer_unref(b);
    assert_ptr_equal(list.items[0], a);
    assert_int_equal(pp_buffer_size(list.items[0]), 10);
}

static void a_failed_pack_lets_go_of_its_buffers_only(void **state)
{
    pp_buffer *a, *b;
    (void)state;
    assert_int_equal(pp_buffer_create(&a, 1), 0);
    assert_int_equal(pp_buffer_create(&b, 1), 0);
    assert_int_equal(pp_pack_result_args(&out, &list, "B", a), 0);
    REFUSED(-EINVAL, pp_pack_result_args, "BBs", a, b, NULL);
    assert_ptr_equal(list.items[0], a);
    pp_buffer_unref(a);
    pp_buffer_unref(b); /* leaks, or is freed twice, unless the failure dropped exactly b's */
}

static void many_buffers_keep_their_indices(void **state)
{
    enum { MANY = 300 };
    pp_buffer *buffers[MANY];
    (void)state;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(pp_buffer_create(&buffers[i], 0), 0);
        assert_int_equal(pp_buffer_list_add(&list, buffers[i]), i);
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(pp_buffer_list_add(&list, buffers[i]), i);
        pp_buffer_unref(buffers[i]);
    }
    assert_int_equal(list.count, MANY);
}

static void a_value_is_copied_as_it_is(void **state)
{
    struct packed   packed;
    const pp_value *value = result(&packed, "{\"a\": [iii], \"b\": s}", 1, 2, 3, "text");
    const pp_value *child;
    (void)state;
    assert_int_equal(pp_pack_result_args(&out, &list, "v", value), 0);
    assert_int_equal(out.size, value->size);
    assert_memory_equal(out.data, value->data, value->size);
    pp_bytes_reset(&out);

    assert_int_equal(pp_value_unpack(value, "{\"a\": v}", &child), 0);
    assert_int_equal(pp_pack_result_args(&out, &list, "ivv", 9, child, child), 0);
    WIRE(&out, "\x93\x09\x93\x01\x02\x03\x93\x01\x02\x03");
    release(&packed);
}

static void buffers_in_a_copied_value_get_the_indices_of_their_new_place(void **state)
{
    pp_buffer      *a, *b, *c, *got[4];
    struct packed   packed, again;
    const pp_value *value, *inner;
    (void)state;
    assert_int_equal(pp_buffer_create(&a, 1), 0);
    assert_int_equal(pp_buffer_create(&b, 2), 0);
    assert_int_equal(pp_buffer_create(&c, 3), 0);
    value = result(&packed, "B[s{\"k\": B}B]", a, "\xd6\x42zzzz", b, a);
    assert_int_equal(pp_value_unpack(value, "Bv", &got[0], &inner), 0);

    value = result(&again, "BvB", c, inner, b);
    release(&packed);
    assert_int_equal(again.buffers.count, 3);
    assert_int_equal(pp_value_unpack(value, "B[s{\"k\": B}B]B", &got[0], &(const char *){0},
                                     &got[1], &got[2], &got[3]),
                     0);
    assert_ptr_equal(got[0], c);
    assert_ptr_equal(got[1], b);
    assert_ptr_equal(got[2], a);
    assert_ptr_equal(got[3], b);
    release(&again);
    pp_buffer_unref(a);
    pp_buffer_unref(b);
    pp_buffer_unref(c);
}

static void a_payload_of_bytes_is_packed_as_bytes(void **state)
{
    struct packed   packed;
    const pp_value *value = payload(&packed, "\xc1\0\xff", 3);
    (void)state;
    assert_int_equal(pack_arguments(&out, &list, "v", value), 0);
    WIRE(&out, "\x91\xc4\x03\xc1\0\xff");
    release(&packed);
}

static const char *brackets(unsigned depth)
{
    static char format[2 * (PP_MAX_DEPTH + 2) + 1];
    memset(format, '[', depth);
    memset(format + depth, ']', depth);
    format[2 * (size_t)depth] = '\0';
    return format;
}

static void what_is_packed_is_never_too_deep_to_be_read(void **state)
{
    struct packed   packed, copy;
    const pp_value *deepest;
    (void)state;
    arguments(&packed, brackets(PP_MAX_DEPTH));
    release(&packed);
    REFUSED(-EINVAL, pack_arguments, brackets(PP_MAX_DEPTH + 1));

    deepest = result(&packed, brackets(PP_MAX_DEPTH));
    arguments(&copy, "v", deepest); /* a result can always be an argument */
    release(&copy);
    result(&copy, "v", deepest);
    release(&copy);
    REFUSED(-EINVAL, pp_pack_result_args, "[v]", deepest);
    REFUSED(-EINVAL, pp_pack_result_args, "iv", 1, deepest);
    REFUSED(-EINVAL, pack_arguments, "{\"a\": v}", deepest);
    release(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_letter_is_one_object, clear),
        cmocka_unit_test_teardown(a_result_of_none_is_null_of_one_itself_of_several_a_list, clear),
        cmocka_unit_test_teardown(lists_and_maps_nest_in_the_order_of_the_arguments, clear),
        cmocka_unit_test_teardown(arguments_are_a_list_and_a_map_only_if_there_are_keywords, clear),
        cmocka_unit_test_teardown(packing_appends, clear),
        cmocka_unit_test_teardown(what_cannot_be_packed_is_refused_with_einval, clear),
        cmocka_unit_test_teardown(bytes_longer_than_messagepack_can_say_are_refused_with_eoverflow,
                                  clear),
        cmocka_unit_test_teardown(a_buffer_goes_by_index_and_is_listed_once, clear),
        cmocka_unit_test_teardown(a_failed_pack_lets_go_of_its_buffers_only, clear),
        cmocka_unit_test_teardown(many_buffers_keep_their_indices, clear),
        cmocka_unit_test_teardown(a_value_is_copied_as_it_is, clear),
        cmocka_unit_test_teardown(buffers_in_a_copied_value_get_the_indices_of_their_new_place,
                                  clear),
        cmocka_unit_test_teardown(a_payload_of_bytes_is_packed_as_bytes, clear),
        cmocka_unit_test_teardown(what_is_packed_is_never_too_deep_to_be_read, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
