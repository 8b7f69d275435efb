/*
 * codec_unpack.c - unpacking strings, lists, maps and buffers: types are checked, and no target is changed
 * when anything is wrong.
 */
#include "codec_support.h"

#include <float.h>
#include <limits.h>
#include <math.h>

#define TWO_TO_53 INT64_C(9007199254740992)

/* ------------------------------------------------------------- types, targets */

static const char *const no_type[] = {
    "z", "b", "i", "u", "I", "U", "d", "s", "y", "B", "[]", "[i]", "{}", "{\"a\": i}",
};

/* Every letter but those in `good` refuses the value. */
static void only_by(const pp_value *value, const char *good)
{
    for (size_t i = 0; i < sizeof no_type / sizeof *no_type; i++) {
        union {
            long long number[2];
            void     *pointer;
        } target = {{1, 2}};
        size_t size = 3;
        if (strchr(good, no_type[i][0]) != NULL)
            continue;
        assert_int_equal(pp_value_unpack(value, no_type[i], &target, &size), -EINVAL);
        assert_true(target.number[0] == 1 && target.number[1] == 2 && size == 3);
    }
}

static void a_wrong_type_is_refused_with_einval(void **state)
{
    struct packed packed;
    pp_buffer    *buffer;
    (void)state;
    assert_int_equal(pp_buffer_create(&buffer, 5), 0);
    only_by(result(&packed, "z"), "z");
    release(&packed);
    only_by(result(&packed, "b", true), "b");
    release(&packed);
    only_by(result(&packed, "i", 1), "iuIUd");
    release(&packed);
    only_by(result(&packed, "i", -1), "iuIUd");
    release(&packed);
    only_by(result(&packed, "d", 1.0), "iuIUd");
    release(&packed);
    only_by(result(&packed, "s", "1"), "s");
    release(&packed);
    only_by(result(&packed, "y", "1", (size_t)1), "y");
    release(&packed);
    only_by(payload(&packed, "\x01", 1), "y");
    release(&packed);
    only_by(result(&packed, "B", buffer), "B");
    release(&packed);
    only_by(result(&packed, "{\"a\": i}", 1), "{");
    release(&packed);
    only_by(result(&packed, "[s]", "a"), "[");
    release(&packed);
    pp_buffer_unref(buffer);
}

static void several_letters_want_a_list(void **state)
{
    struct packed packed;
    int           a = 77, b = 77;
    (void)state;
    assert_int_equal(pp_value_unpack(result(&packed, "i", 5), "ii", &a, &b), -EINVAL);
    release(&packed);
    assert_int_equal(pp_value_unpack(result(&packed, "z"), "ii", &a, &b), -EINVAL);
    release(&packed);
    assert_int_equal(pp_value_unpack(payload(&packed, "ab", 2), "ii", &a, &b), -EINVAL);
    release(&packed);
    assert_true(a == 77 && b == 77);
}

static void a_null_target_or_value_or_a_bad_format_is_refused_with_einval(void **state)
{
    struct packed   packed;
    const pp_value *value = result(&packed, "i[i]", 1, 2);
    int             i = 77;
    size_t          size = 77;
    const void     *data = &i;
    (void)state;
    assert_int_equal(pp_value_unpack(value, "i[i]", &i, NULL), -EINVAL);
    assert_int_equal(pp_value_unpack(value, "iv", &i, NULL), -EINVAL);
    assert_int_equal(pp_value_unpack(value, "i[i]i", &i, &i, NULL), -ENOENT);
    assert_int_equal(pp_value_unpack(value, "i[", &i), -EINVAL);
    assert_int_equal(pp_value_unpack(value, "ix", &i), -EINVAL);
    assert_int_equal(pp_value_unpack(value, "i a=i", &i, &i), -EINVAL);
    assert_int_equal(pp_value_unpack(value, "a=i", &i), -EINVAL);
    assert_int_equal(pp_value_unpack(NULL, "i", &i), -EINVAL);
    assert_int_equal(pp_value_msgpack(NULL, &data, &size), -EINVAL);
    assert_int_equal(pp_value_msgpack(value, NULL, &size), -EINVAL);
    assert_int_equal(pp_value_msgpack(value, &data, NULL), -EINVAL);
    assert_true(i == 77 && size == 77 && data == &i);
    release(&packed);

    value = result(&packed, "y", "x", (size_t)1);
    assert_int_equal(pp_value_unpack(value, "y", &data, NULL), -EINVAL);
    assert_int_equal(pp_value_unpack(value, "y", NULL, &size), -EINVAL);
    assert_true(size == 77 && data == &i);
    release(&packed);

    static const char *const letters[] = {"b", "i", "u", "I", "U", "d", "s", "v", "B"};
    for (size_t n = 0; n < sizeof letters / sizeof *letters; n++) {
        char format[] = "a?=x";
        format[3] = *letters[n];
        value = result(&packed, "z");
        assert_int_equal(pp_value_unpack(value, letters[n], NULL), -EINVAL);
        release(&packed);
        arguments(&packed, ""); /* even of a keyword that is absent */
        assert_int_equal(unpack_arguments(&packed.document, format, NULL), -EINVAL);
        release(&packed);
    }
}

/* ------------------------------------------------------------ strings, values */

static void a_string_ends_with_nul_and_is_the_same_each_time(void **state)
{
    struct packed   packed;
    const pp_value *value = result(&packed, "ss", "one", "");
    const char     *one = NULL, *none = NULL, *again = NULL;
    (void)state;
    assert_int_equal(pp_value_unpack(value, "ss", &one, &none), 0);
    assert_string_equal(one, "one");
    assert_string_equal(none, "");
    for (int i = 0; i < 1000; i++)
        assert_int_equal(pp_value_unpack(value, "ss", &again, &none), 0);
    assert_ptr_equal(again, one); /* so a loop does not fill the memory */
    release(&packed);
}

static void a_string_with_a_nul_inside_is_refused_with_einval(void **state)
{
    struct packed   packed;
    const pp_value *value = foreign(&packed,
                                    "\xa3"
                                    "a\0b",
                                    4);
    const char     *s = "before";
    (void)state;
    assert_int_equal(pp_value_unpack(value, "s", &s), -EINVAL);
    assert_string_equal(s, "before");
    release(&packed);
}

static void bytes_point_into_the_value(void **state)
{
    struct packed   packed;
    const pp_value *value = result(&packed, "y[y]", "abc", (size_t)3, NULL, (size_t)0);
    const void     *abc = NULL, *none = NULL;
    size_t          size = 77, none_size = 77;
    (void)state;
    assert_int_equal(pp_value_unpack(value, "y[y]", &abc, &size, &none, &none_size), 0);
    assert_ptr_equal(abc, value->data + 3);
    assert_int_equal(size, 3);
    assert_non_null(none);
    assert_int_equal(none_size, 0);
    release(&packed);
}

static void a_value_of_a_value_of_a_value_is_a_value(void **state)
{
    struct packed   packed;
    const pp_value *value = result(&packed, "[[i s] i]", 1, "deep", 2);
    const pp_value *root, *list, *same, *string;
    const char     *s;
    int             i;
    (void)state;
    assert_int_equal(pp_value_unpack(value, "v", &root), 0);
    assert_ptr_equal(root, value);
    assert_int_equal(pp_value_unpack(value, "vi", &list, &i), 0);
    assert_int_equal(pp_value_unpack(list, "v", &same), 0);
    assert_ptr_equal(same, list);
    assert_int_equal(pp_value_unpack(list, "iv", &i, &string), 0);
    assert_int_equal(pp_value_unpack(string, "s", &s), 0);
    assert_string_equal(s, "deep");
    release(&packed);
}

static void a_value_gives_its_messagepack(void **state)
{
    struct packed   packed;
    const pp_value *value = result(&packed, "i[is]", 5, 1, "x");
    const pp_value *list;
    const void     *data;
    size_t          size;
    (void)state;
    assert_int_equal(pp_value_unpack(value, "iv", &(int){0}, &list), 0);
    assert_int_equal(pp_value_msgpack(list, &data, &size), 0);
    assert_int_equal(size, 4);
    assert_memory_equal(data, "\x92\x01\xa1x", 4);
    release(&packed);
}

/* -------------------------------------------------------------- lists and maps */

static void a_list_is_taken_apart_with_letters_or_brackets(void **state)
{
    struct packed   packed;
    const pp_value *value = result(&packed, "ii", 1, 2);
    int             a = 0, b = 0, c = 0, d = 0;
    (void)state;
    assert_int_equal(pp_value_unpack(value, "ii", &a, &b), 0);
    assert_int_equal(pp_value_unpack(value, " [ i i ] ", &c, &d), 0);
    assert_true(a == 1 && b == 2 && c == 1 && d == 2);
    release(&packed);

    value = result(&packed, "[[i]]", 3);
    assert_int_equal(pp_value_unpack(value, "[[i]]", &a), 0);
    assert_int_equal(a, 3);
    release(&packed);

    value = result(&packed, "[]");
    assert_int_equal(pp_value_unpack(value, "[]"), 0);
    release(&packed);
}

static void too_few_items_are_enoent_and_too_many_e2big(void **state)
{
    struct packed   packed;
    const pp_value *value = result(&packed, "ii", 1, 2);
    int             a = 77, b = 77, c = 77;
    (void)state;
    assert_int_equal(pp_value_unpack(value, "iii", &a, &b, &c), -ENOENT);
    assert_int_equal(pp_value_unpack(value, "[i]", &a), -E2BIG);
    assert_int_equal(pp_value_unpack(value, "[]"), -E2BIG);
    release(&packed);
    value = result(&packed, "[i[ii]]", 1, 2, 3);
    assert_int_equal(pp_value_unpack(value, "[i[i]]", &a, &b), -E2BIG);
    assert_int_equal(pp_value_unpack(value, "[i[iii]]", &a, &b, &c, &c), -ENOENT);
    assert_true(a == 77 && b == 77 && c == 77);
    release(&packed);
}

static void no_format_wants_null(void **state)
{
    struct packed packed;
    (void)state;
    const pp_value *value = result(&packed, NULL);
    assert_int_equal(pp_value_unpack(value, NULL), 0);
    assert_int_equal(pp_value_unpack(value, ""), 0);
    assert_int_equal(pp_value_unpack(value, "z"), 0);
    release(&packed);
    value = result(&packed, "i", 1);
    assert_int_equal(pp_value_unpack(value, ""), -E2BIG);
    release(&packed);
    value = result(&packed, "[]");
    assert_int_equal(pp_value_unpack(value, ""), -E2BIG);
    release(&packed);
}

static void a_map_gives_the_keys_that_are_asked_for(void **state)
{
    struct packed   packed;
    const pp_value *value =
        result(&packed, "{\"a\": i, \"b\": {\"c\": [s]}, \"a key\": d}", 1, "x", 2.5);
    int         a = 0;
    double      d = 0;
    const char *s = NULL;
    (void)state;
    assert_int_equal(
        pp_value_unpack(value, "{\"a key\": d, \"b\": {\"c\": [s]}, \"a\": i}", &d, &s, &a), 0);
    assert_true(a == 1 && d == 2.5);
    assert_string_equal(s, "x");
    assert_int_equal(pp_value_unpack(value, "{}"), 0);
    release(&packed);
}

static void a_key_that_is_missing_is_enoent(void **state)
{
    struct packed   packed;
    const pp_value *value = result(&packed, "{\"a\": i, \"b\": {\"c\": i}}", 1, 2);
    int             a = 77, b = 77;
    (void)state;
    assert_int_equal(pp_value_unpack(value, "{\"a\": i, \"A\": i}", &a, &b), -ENOENT);
    assert_int_equal(pp_value_unpack(value, "{\"a\": i, \"b\": {\"a\": i}}", &a, &b), -ENOENT);
    assert_int_equal(pp_value_unpack(value, "{\"\": i}", &a), -ENOENT);
    assert_true(a == 77 && b == 77);
    release(&packed);
}

static void keys_that_are_not_strings_do_not_matter(void **state)
{
    struct packed   packed;
    const pp_value *value = foreign(&packed,
                                    "\x84\x01\x02\x92\xa1"
                                    "a\x01\x03\xc4\x01"
                                    "a\x04\xa1"
                                    "a\x05",
                                    15);
    int             a = 0;
    (void)state;
    assert_int_equal(pp_value_unpack(value, "{\"a\": i}", &a), 0);
    assert_int_equal(a, 5);
    release(&packed);
}

static void no_target_is_changed_when_anything_is_wrong(void **state)
{
    struct packed   packed;
    pp_buffer      *buffer, *got = NULL;
    bool            b = false;
    int             i = 77;
    double          d = 77;
    const char     *s = "before";
    const void     *y = &i;
    size_t          size = 77;
    const pp_value *v = NULL;
    (void)state;
    assert_int_equal(pp_buffer_create(&buffer, 5), 0);
    const pp_value *value = result(&packed, "bidsyBi{\"k\": i}s", true, 1, 1.5, "s", "y", (size_t)1,
                                   buffer, 2, 3, "no int");
    assert_int_equal(pp_value_unpack(value, "bidsyBv{\"k\": i}i", &b, &i, &d, &s, &y, &size, &got,
                                     &v, &i, &i),
                     -EINVAL);
    assert_true(!b && i == 77 && d == 77 && y == &i && size == 77 && v == NULL && got == NULL);
    assert_string_equal(s, "before");
    release(&packed);
    pp_buffer_unref(buffer);
}

/* -------------------------------------------------------------------- buffers */

static void buffers_come_back_by_index_and_are_borrowed(void **state)
{
    pp_buffer    *a, *b, *first = NULL, *second = NULL;
    struct packed packed;
    (void)state;
    assert_int_equal(pp_buffer_create(&a, 1), 0);
    assert_int_equal(pp_buffer_create(&b, 2), 0);
    const pp_value *value = result(&packed, "[BB]", a, b);
    assert_int_equal(pp_value_unpack(value, "BB", &first, &second), 0);
    assert_ptr_equal(first, a);
    assert_ptr_equal(second, b);
    release(&packed);
    pp_buffer_unref(a); /* the last ones: unpacking took none */
    pp_buffer_unref(b);
}

static void a_buffer_that_is_not_there_is_ebadmsg(void **state)
{
    static const unsigned char second[] = {0xd6, 'B', 0, 0, 0, 1};
    static const unsigned char first[] = {0x91, 0xd6, 'B', 0, 0, 0, 0};
    pp_buffer                 *buffer;
    struct pp_document         document;
    (void)state;
    assert_int_equal(pp_buffer_create(&buffer, 1), 0);
    assert_int_equal(pp_document_init(&document, second, sizeof second, false, false, &buffer, 1),
                     -EBADMSG);
    assert_int_equal(pp_document_init(&document, first, sizeof first, false, false, NULL, 0),
                     -EBADMSG);
    assert_int_equal(pp_document_init(&document, first, sizeof first, false, true, NULL, 0),
                     -EBADMSG);
    assert_int_equal(pp_document_init(&document, first, sizeof first, false, true, &buffer, 1), 0);
    pp_document_clear(&document);
    pp_buffer_unref(buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_type_is_refused_with_einval),
        cmocka_unit_test(several_letters_want_a_list),
        cmocka_unit_test(a_null_target_or_value_or_a_bad_format_is_refused_with_einval),
        cmocka_unit_test(a_string_ends_with_nul_and_is_the_same_each_time),
        cmocka_unit_test(a_string_with_a_nul_inside_is_refused_with_einval),
        cmocka_unit_test(bytes_point_into_the_value),
        cmocka_unit_test(a_value_of_a_value_of_a_value_is_a_value),
        cmocka_unit_test(a_value_gives_its_messagepack),
        cmocka_unit_test(a_list_is_taken_apart_with_letters_or_brackets),
        cmocka_unit_test(too_few_items_are_enoent_and_too_many_e2big),
        cmocka_unit_test(no_format_wants_null),
        cmocka_unit_test(a_map_gives_the_keys_that_are_asked_for),
        cmocka_unit_test(a_key_that_is_missing_is_enoent),
        cmocka_unit_test(keys_that_are_not_strings_do_not_matter),
        cmocka_unit_test(no_target_is_changed_when_anything_is_wrong),
        cmocka_unit_test(buffers_come_back_by_index_and_are_borrowed),
        cmocka_unit_test(a_buffer_that_is_not_there_is_ebadmsg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
