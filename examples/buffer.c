/*
 * buffer.c - large data that is never copied: workers sort parts of one shared buffer in place, then
 * merge them.
 *
 *     cc buffer.c $(pkg-config --cflags --libs procpool) && ./a.out
 */
#include <procpool.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 1 << 21, PARTS = 4 };

static int compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* The part of the buffer that a task is told to work on; -ERANGE if it is not there. */
static int get_part(pp_call *call, uint32_t **numbers, size_t *count)
{
    pp_buffer *buffer = NULL;
    uint64_t   first = 0, length = 0;
    int        error = pp_call_args(call, "BUU", &buffer, &first, &length);
    if (error < 0)
        return error;
    size_t all = pp_buffer_size(buffer) / sizeof **numbers;
    if (first > all || length > all - first)
        return -ERANGE;
    *numbers = (uint32_t *)pp_buffer_data(buffer) + first;
    *count = length;
    return 0;
}

static int sort_part(pp_call *call)
{
    uint32_t *numbers = NULL;
    size_t    count = 0;
    int       error = get_part(call, &numbers, &count);
    if (error == 0)
        qsort(numbers, count, sizeof *numbers, compare);
    return error;
}

/* Two sorted halves become one. */
static int merge_part(pp_call *call)
{
    uint32_t *numbers = NULL;
    size_t    count = 0;
    int       error = get_part(call, &numbers, &count);
    if (error < 0)
        return error;
    uint32_t *left = malloc(count / 2 * sizeof *left + 1);
    if (left == NULL)
        return -ENOMEM;
    memcpy(left, numbers, count / 2 * sizeof *left);
    for (size_t i = 0, l = 0, r = count / 2; l < count / 2; i++)
        numbers[i] = r == count || left[l] <= numbers[r] ? left[l++] : numbers[r++];
    free(left);
    return 0;
}

/* One task for each part, and wait for all. */
static int for_each_part(pp_pool *pool, pp_function *function, pp_buffer *buffer, size_t parts)
{
    pp_task *tasks[PARTS] = {NULL};
    uint64_t length = NUMBERS / parts;
    int      error = 0;
    for (size_t i = 0; i < parts && error == 0; i++) {
        error = pp_task_create(&tasks[i], PP_FUNCTION(function), NULL, "BUU", buffer, i * length,
                               length);
        if (error == 0)
            error = pp_pool_queue_task(pool, tasks[i]);
    }
    if (error == 0)
        error = pp_wait_all(tasks, parts, PP_FOREVER);
    for (size_t i = 0; i < parts; i++) {
        if (error == 0 && pp_task_state(tasks[i]) != PP_DONE)
            error = -pp_error_errno(pp_task_error(tasks[i]));
        pp_task_unref(tasks[i]);
    }
    return error;
}

static size_t count_wrong(const uint32_t *numbers)
{
    size_t wrong = 0;
    for (size_t i = 1; i < NUMBERS; i++)
        wrong += numbers[i - 1] > numbers[i];
    return wrong;
}

int main(void)
{
    pp_pool   *pool = NULL;
    pp_buffer *buffer = NULL;
    uint32_t   state = 1;
    int        error = pp_pool_create(&pool, NULL);
    if (error == 0)
        error = pp_buffer_create(&buffer, NUMBERS * sizeof(uint32_t));
    uint32_t *numbers = pp_buffer_data(buffer);
    for (size_t i = 0; i < NUMBERS && error == 0; i++)
        numbers[i] = state = state * 1664525 + 1013904223;

    if (error == 0) {
        printf("%zu of %d out of order\n", count_wrong(numbers), NUMBERS);
        error = for_each_part(pool, sort_part, buffer, PARTS);
    }
    for (size_t parts = PARTS / 2; parts > 0 && error == 0; parts /= 2)
        error = for_each_part(pool, merge_part, buffer, parts);
    if (error == 0)
        printf("%zu of %d out of order\n", count_wrong(numbers), NUMBERS);
    else
        fprintf(stderr, "buffer: %s\n", strerror(-error));
    pp_buffer_unref(buffer);
    pp_pool_destroy(pool);
    return error < 0;
}
