/*
 * codec_unpack.c - promises of pp_value_unpack and pp_document_unpack_arguments.
 */
#include "codec_support.h"

#include <float.h>
#include <limits.h>
#include <math.h>

#define TWO_TO_53 INT64_C(9007199254740992)

/* ------------------------------------------------------------------- letters */

static void every_letter_gives_back_what_was_packed(void **state)
{
    struct packed   packed;
    pp_buffer      *buffer, *got_buffer = NULL;
    bool            b = false;
    int             i = 0;
    unsigned        u = 0;
    int64_t         I = 0;
    uint64_t        U = 0;
    double          d = 0;
    const char     *s = NULL;
    const void     *y = NULL;
    size_t          size = 0;
    const pp_value *v = NULL;
    (void)state;
    assert_int_equal(pp_buffer_create(&buffer, 5), 0);
    const pp_value *value =
        result(&packed, "z b i u I U d s y B [i]", true, INT_MIN, UINT_MAX, INT64_MIN, UINT64_MAX,
               0.1, "text", "\0\1", (size_t)2, buffer, 3);
    assert_int_equal(pp_value_unpack(value, "z b i u I U d s y B v", &b, &i, &u, &I, &U, &d, &s, &y,
                                     &size, &got_buffer, &v),
                     0);
    assert_true(b);
    assert_int_equal(i, INT_MIN);
    assert_int_equal(u, UINT_MAX);
    assert_true(I == INT64_MIN);
    assert_true(U == UINT64_MAX);
    assert_true(d == 0.1);
    assert_string_equal(s, "text");
    assert_int_equal(size, 2);
    assert_memory_equal(y, "\0\1", 2);
    assert_ptr_equal(got_buffer, buffer);
    assert_int_equal(pp_value_unpack(v, "[i]", &i), 0);
    assert_int_equal(i, 3);
    release(&packed);
    pp_buffer_unref(buffer);
}

static void a_number_is_converted_when_it_fits(void **state)
{
    struct packed packed;
    int           i;
    unsigned      u;
    int64_t       I;
    uint64_t      U;
    double        d;
    (void)state;
    const pp_value *value = result(&packed, "d", 200.0);
    assert_int_equal(pp_value_unpack(value, "i", &i), 0);
    assert_int_equal(pp_value_unpack(value, "u", &u), 0);
    assert_int_equal(pp_value_unpack(value, "I", &I), 0);
    assert_int_equal(pp_value_unpack(value, "U", &U), 0);
    assert_true(i == 200 && u == 200 && I == 200 && U == 200);
    release(&packed);

    value = result(&packed, "i", 7);
    assert_int_equal(pp_value_unpack(value, "u", &u), 0);
    assert_int_equal(pp_value_unpack(value, "d", &d), 0);
    assert_true(u == 7 && d == 7.0);
    release(&packed);

    value = result(&packed, "dddd", -9223372036854775808.0, 18446744073709549568.0, -0.0, -5.0);
    assert_int_equal(pp_value_unpack(value, "IUui", &I, &U, &u, &i), 0);
    assert_true(I == INT64_MIN && U == UINT64_C(18446744073709549568) && u == 0 && i == -5);
    release(&packed);

    value = result(&packed, "IIUI", TWO_TO_53, -TWO_TO_53, UINT64_C(1) << 63, INT64_MIN);
    double d1, d2, d3;
    assert_int_equal(pp_value_unpack(value, "dddd", &d, &d1, &d2, &d3), 0);
    assert_true(d == 0x1p53 && d1 == -0x1p53 && d2 == 0x1p63 && d3 == -0x1p63);
    release(&packed);
}

/* Refused like that, with the target as it was. */
#define NO_NUMBER(value, letter, type, error)                              \
    do {                                                                   \
        type target_ = 77;                                                 \
        assert_int_equal(pp_value_unpack(value, letter, &target_), error); \
        assert_true(target_ == 77);                                        \
    } while (0)

static void a_double_that_is_no_integer_of_the_type_is_refused_with_erange(void **state)
{
    static const double bad[] = {0.5, -1.5, 0x1p64, -0x1p64, DBL_MAX, INFINITY, -INFINITY, NAN};
    struct packed       packed;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const pp_value *value = result(&packed, "d", bad[i]);
        NO_NUMBER(value, "i", int, -ERANGE);
        NO_NUMBER(value, "u", unsigned, -ERANGE);
        NO_NUMBER(value, "I", int64_t, -ERANGE);
        NO_NUMBER(value, "U", uint64_t, -ERANGE);
        release(&packed);
    }
    const pp_value *value = result(&packed, "d", 0x1p63);
    NO_NUMBER(value, "I", int64_t, -ERANGE);
    release(&packed);
    value = result(&packed, "d", -1.0);
    NO_NUMBER(value, "u", unsigned, -ERANGE);
    NO_NUMBER(value, "U", uint64_t, -ERANGE);
    release(&packed);
}

static void a_number_that_does_not_fit_is_refused_with_erange(void **state)
{
    struct packed   packed;
    const pp_value *value = result(&packed, "I", (int64_t)INT_MAX + 1);
    (void)state;
    NO_NUMBER(value, "i", int, -ERANGE);
    release(&packed);
    value = result(&packed, "I", (int64_t)INT_MIN - 1);
    NO_NUMBER(value, "i", int, -ERANGE);
    release(&packed);
    value = result(&packed, "I", (int64_t)UINT_MAX + 1);
    NO_NUMBER(value, "u", unsigned, -ERANGE);
    release(&packed);
    value = result(&packed, "i", -1);
    NO_NUMBER(value, "u", unsigned, -ERANGE);
    NO_NUMBER(value, "U", uint64_t, -ERANGE);
    release(&packed);
    value = result(&packed, "U", (uint64_t)INT64_MAX + 1);
    NO_NUMBER(value, "I", int64_t, -ERANGE);
    release(&packed);
}

static void an_integer_that_no_double_equals_is_refused_with_erange(void **state)
{
    struct packed packed;
    const int64_t bad[] = {TWO_TO_53 + 1, -TWO_TO_53 - 1, INT64_MAX, INT64_MIN + 1};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const pp_value *value = result(&packed, "I", bad[i]);
        NO_NUMBER(value, "d", double, -ERANGE);
        release(&packed);
    }
    const pp_value *value = result(&packed, "U", UINT64_MAX);
    NO_NUMBER(value, "d", double, -ERANGE);
    release(&packed);
}

static void every_encoding_of_a_number_is_understood(void **state)
{
    static const struct {
        const char *wire;
        size_t      size;
        int64_t     number;
    } forms[] = {
        {"\x7f", 1, 127},
        {"\xe0", 1, -32},
        {"\xcc\xff", 2, 255},
        {"\xcd\xff\xfe", 3, 65534},
        {"\xce\x80\0\0\0", 5, INT64_C(0x80000000)},
        {"\xcf\0\0\0\0\0\0\0\x05", 9, 5},
        {"\xd0\x80", 2, -128},
        {"\xd0\x7f", 2, 127},
        {"\xd1\x80\0", 3, -32768},
        {"\xd2\x80\0\0\0", 5, INT32_MIN},
        {"\xd3\xff\xff\xff\xff\xff\xff\xff\xfe", 9, -2},
        {"\xca\x3f\x80\0\0", 5, 1},
        {"\xcb\xc0\0\0\0\0\0\0\0", 9, -2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct packed   packed;
        const pp_value *value = foreign(&packed, forms[i].wire, forms[i].size);
        int64_t         number = 77;
        double          real = 77;
        assert_int_equal(pp_value_unpack(value, "I", &number), 0);
        assert_int_equal(pp_value_unpack(value, "d", &real), 0);
        assert_true(number == forms[i].number && real == (double)forms[i].number);
        release(&packed);
    }
}

static void a_single_float_is_a_double(void **state)
{
    struct packed   packed;
    const pp_value *value = foreign(&packed, "\xca\x3e\x80\0\0", 5);
    double          d = 0;
    (void)state;
    assert_int_equal(pp_value_unpack(value, "d", &d), 0);
    assert_true(d == 0.25);
    release(&packed);
}

static void what_is_not_finite_is_a_double(void **state)
{
    struct packed   packed;
    const pp_value *value = result(&packed, "dd", NAN, -INFINITY);
    double          nan = 0, infinity = 0;
    (void)state;
    assert_int_equal(pp_value_unpack(value, "dd", &nan, &infinity), 0);
    assert_true(isnan(nan) && isinf(infinity) && infinity < 0);
    release(&packed);
}

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
        cmocka_unit_test(every_letter_gives_back_what_was_packed),
        cmocka_unit_test(a_number_is_converted_when_it_fits),
        cmocka_unit_test(a_double_that_is_no_integer_of_the_type_is_refused_with_erange),
        cmocka_unit_test(a_number_that_does_not_fit_is_refused_with_erange),
        cmocka_unit_test(an_integer_that_no_double_equals_is_refused_with_erange),
        cmocka_unit_test(every_encoding_of_a_number_is_understood),
        cmocka_unit_test(a_single_float_is_a_double),
        cmocka_unit_test(what_is_not_finite_is_a_double),
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
