/*
 * codec_numbers.c - unpacking letters and numbers: what was packed comes back, a number is converted when
 * it fits, and refused when it does not.
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
