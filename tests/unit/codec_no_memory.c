/*
 * codec_no_memory.c - when memory ends, a call fails with -ENOMEM and has changed nothing.
 *
 * The program brings its own malloc, which fails on demand.  Sanitizers and valgrind bring theirs,
 * so under them there is nothing to do here.
 */
#include "codec_support.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MALLOC_IS_TAKEN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MALLOC_IS_TAKEN 1
#endif
#endif

#ifdef MALLOC_IS_TAKEN

int main(void)
{
    return 0;
}

#else

#define NEVER (-1)

/* Then they fail.  Volatile, since a compiler knows that malloc looks at no variable of ours. */
static volatile int calls_left = NEVER;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void  __libc_free(void *memory);

static bool has_memory(void)
{
    if (calls_left == NEVER)
        return true;
    if (calls_left > 0) {
        calls_left--;
        return true;
    }
    errno = ENOMEM;
    return false;
}

void *malloc(size_t size)
{
    return has_memory() ? __libc_malloc(size) : NULL;
}

void *calloc(size_t count, size_t size)
{
    return has_memory() ? __libc_calloc(count, size) : NULL;
}

void *realloc(void *memory, size_t size)
{
    return has_memory() ? __libc_realloc(memory, size) : NULL;
}

void free(void *memory)
{
    __libc_free(memory);
}

static bool malloc_is_ours(void)
{
    calls_left = 0;
    void *volatile memory = malloc(1);
    calls_left = NEVER;
    free(memory);
    return memory == NULL;
}

static void packing_without_memory_leaves_bytes_and_buffers(void **state)
{
    enum { MANY = 5, LONG = 2000 };
    struct pp_bytes       out = {0};
    struct pp_buffer_list list = {0};
    pp_buffer            *buffers[MANY];
    char                  text[LONG] = {0};
    int                   error = -ENOMEM, failures = 0;
    (void)state;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(pp_buffer_create(&buffers[i], 1), 0);
    assert_int_equal(pp_pack_result_args(&out, &list, "sB", "before", buffers[0]), 0);
    const size_t size = out.size;

    while (error == -ENOMEM) {
        calls_left = failures;
        error = pack_arguments(&out, &list, "BBy k=[BBB]", buffers[0], buffers[1], text,
                               sizeof text, buffers[2], buffers[3], buffers[4]);
        calls_left = NEVER;
        if (error == 0)
            break;
        assert_int_equal(error, -ENOMEM);
        assert_int_equal(out.size, size);
        assert_int_equal(list.count, 1);
        failures++;
    }
    assert_int_equal(error, 0);
    assert_true(failures >= 2);
    assert_int_equal(list.count, MANY);
    for (int i = 0; i < MANY; i++)
        pp_buffer_unref(buffers[i]);
    pp_bytes_free(&out);
    pp_buffer_list_free(&list);
}

static void unpacking_without_memory_changes_no_target(void **state)
{
    struct packed   packed;
    const pp_value *value = result(&packed, "i[si]s", 1, "two", 3, "four");
    int             i = 77, failures = 0;
    const char     *s = "before", *t = s;
    const pp_value *v = NULL;
    const size_t    size = packed.document.size;
    (void)state;
    for (;; failures++) {
        pp_document_clear(&packed.document);
        assert_int_equal(
            pp_document_init(&packed.document, packed.data, size, false, false, NULL, 0), 0);
        calls_left = failures;
        int error = pp_value_unpack(value, "i[sv]s", &i, &s, &v, &t);
        calls_left = NEVER;
        if (error == 0)
            break;
        assert_int_equal(error, -ENOMEM);
        assert_true(i == 77 && v == NULL && s == t);
        assert_string_equal(s, "before");
    }
    assert_int_equal(failures, 3);
    assert_string_equal(s, "two");
    assert_string_equal(t, "four");
    release(&packed);
}

static void the_messagepack_of_a_payload_needs_memory(void **state)
{
    struct packed   packed;
    const pp_value *value = payload(&packed, "raw", 3);
    const void     *data = NULL;
    size_t          size = 77;
    (void)state;
    calls_left = 0;
    int error = pp_value_msgpack(value, &data, &size);
    calls_left = NEVER;
    assert_int_equal(error, -ENOMEM);
    assert_true(data == NULL && size == 77);
    release(&packed);
}

static void checking_and_reading_numbers_need_no_memory(void **state)
{
    struct packed packed = {0};
    int           i = 0;
    const void   *y;
    size_t        size;
    (void)state;
    arguments(&packed, "i y[d] k=i", 1, "raw", (size_t)3, 2.0, 4);
    size_t length = packed.document.size;
    calls_left = 0;
    int checked = pp_document_init(&packed.document, packed.data, length, false, true, NULL, 0);
    int error = unpack_arguments(&packed.document, "iy[d] k=i", &i, &y, &size, &(double){0}, &i);
    calls_left = NEVER;
    assert_int_equal(checked, 0);
    assert_int_equal(error, 0);
    assert_int_equal(i, 4);
    release(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing_without_memory_leaves_bytes_and_buffers),
        cmocka_unit_test(unpacking_without_memory_changes_no_target),
        cmocka_unit_test(the_messagepack_of_a_payload_needs_memory),
        cmocka_unit_test(checking_and_reading_numbers_need_no_memory),
    };
    if (!malloc_is_ours())
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
