/*
 * codec_threads.c - any number of threads may read one document.
 *
 * They start together at documents that nobody has read yet, so that they race for what has to
 * be made: copies of strings, child values, the MessagePack of a payload.
 */
#include "codec_support.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 300, ITEMS = 6 };

struct reading {
    const pp_value    *value;
    const pp_value    *raw;
    pthread_barrier_t *start;
    unsigned           number;
    int                errors;
    const char        *strings[ITEMS];
    const pp_value    *children[ITEMS];
    const void        *msgpack;
};

static void read_strings(struct reading *r)
{
    r->errors +=
        pp_value_unpack(r->value, "[ssssss]v", &r->strings[0], &r->strings[1], &r->strings[2],
                        &r->strings[3], &r->strings[4], &r->strings[5], &r->children[0]) != 0;
}

static void read_children(struct reading *r)
{
    const pp_value *list = NULL;
    r->errors +=
        pp_value_unpack(r->value, "v[vvvvvv]", &list, &r->children[0], &r->children[1],
                        &r->children[2], &r->children[3], &r->children[4], &r->children[5]) != 0;
    r->errors += pp_value_unpack(list, "vvvvvv", &r->children[0], &r->children[1], &r->children[2],
                                 &r->children[3], &r->children[4], &r->children[5]) != 0;
}

static void *read_document(void *argument)
{
    struct reading *r = argument;
    size_t          size = 0;
    pthread_barrier_wait(r->start);
    if (r->number % 2 == 0)
        read_strings(r);
    read_children(r);
    if (r->number % 2 != 0)
        read_strings(r);
    r->errors += pp_value_unpack(r->value, "[vvvvvv]v", &r->children[0], &r->children[1],
                                 &r->children[2], &r->children[3], &r->children[4], &r->children[5],
                                 &(const pp_value *){0}) != 0;
    for (int i = 0; i < ITEMS; i++) {
        const char *again = NULL;
        r->errors += pp_value_unpack(r->children[i], "s", &again) != 0;
        r->errors += again != r->strings[i];
    }
    r->errors += pp_value_msgpack(r->raw, &r->msgpack, &size) != 0 || size != 5;
    return NULL;
}

static void run_together(struct reading readings[THREADS])
{
    pthread_t         threads[THREADS];
    pthread_barrier_t start;
    assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        readings[i].start = &start;
        readings[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, read_document, &readings[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
}

static void threads_that_read_one_value_all_see_the_same(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct reading  readings[THREADS] = {{0}};
        struct packed   packed, raw;
        const pp_value *value = result(&packed, "[ssssss][ssssss]", "one", "two", "three", "four",
                                       "five", "six", "1", "2", "3", "4", "5", "6");
        const pp_value *bytes = payload(&raw, "raw", 3);
        for (int i = 0; i < THREADS; i++) {
            readings[i].value = value;
            readings[i].raw = bytes;
        }
        run_together(readings);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(readings[i].errors, 0);
            assert_string_equal(readings[i].strings[0], "one");
            assert_string_equal(readings[i].strings[5], "six");
            assert_memory_equal(readings[i].msgpack, "\xc4\x03raw", 5);
            assert_ptr_equal(readings[i].msgpack, readings[0].msgpack);
            for (int n = 0; n < ITEMS; n++) {
                assert_ptr_equal(readings[i].strings[n], readings[0].strings[n]);
                assert_ptr_equal(readings[i].children[n], readings[0].children[n]);
            }
        }
        release(&packed);
        release(&raw);
    }
}

struct printing {
    const pp_value *value;
    FILE           *stream;
};

static void *print_often(void *argument)
{
    struct printing *job = argument;
    for (int i = 0; i < ROUNDS; i++)
        if (pp_value_print(job->value, job->stream) != 0)
            return job;
    return NULL;
}

static void threads_that_print_to_one_stream_do_not_mix_their_values(void **state)
{
    static const char expected[] = "[\"one\", \"two\"]";
    const size_t      length = sizeof expected - 1;
    struct packed     packed;
    char              text[sizeof expected];
    pthread_t         threads[THREADS];
    struct printing   job = {.value = result(&packed, "[ss]", "one", "two")};
    (void)state;
    job.stream = tmpfile();
    assert_non_null(job.stream);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, print_often, &job), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    rewind(job.stream);
    for (int i = 0; i < THREADS * ROUNDS; i++) {
        assert_int_equal(fread(text, 1, length, job.stream), length);
        assert_memory_equal(text, expected, length);
    }
    assert_int_equal(fread(text, 1, 1, job.stream), 0);
    fclose(job.stream);
    release(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_that_read_one_value_all_see_the_same),
        cmocka_unit_test(threads_that_print_to_one_stream_do_not_mix_their_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
