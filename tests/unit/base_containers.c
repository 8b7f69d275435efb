/*
 * base_containers.c - lists, timers and histograms keep what their headers say.
 */
#include "base/heap.h"
#include "base/histogram.h"
#include "base/list.h"
#include "unit.h"

#include <stdlib.h>

struct item {
    struct pp_list link;
    int            number;
};

static int number_of(struct pp_list *link)
{
    return PP_CONTAINER(link, struct item, link)->number;
}

static void a_list_gives_its_links_in_order(void **state)
{
    struct pp_list list;
    struct item    items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    (void)state;
    pp_list_init(&list);
    assert_true(pp_list_empty(&list));
    pp_list_append(&list, &items[1].link);
    pp_list_append(&list, &items[2].link);
    pp_list_prepend(&list, &items[0].link);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(number_of(pp_list_take_first(&list)), i);
    assert_null(pp_list_take_first(&list));
}

static void removing_a_link_twice_does_nothing(void **state)
{
    struct pp_list list;
    struct item    items[2] = {{.number = 1}, {.number = 2}};
    struct item    never = {.number = 3};
    (void)state;
    pp_list_init(&list);
    pp_list_append(&list, &items[0].link);
    pp_list_append(&list, &items[1].link);
    pp_list_remove(&items[0].link);
    pp_list_remove(&items[0].link);
    pp_list_remove(&never.link); /* zero: in no list yet */
    assert_int_equal(number_of(list.next), 2);
    assert_ptr_equal(list.next->next, &list);
}

static void check_heap(const struct pp_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++) {
        assert_int_equal(heap->items[i]->index, i + 1);
        if (i > 0)
            assert_true(heap->items[(i - 1) / 2]->when <= heap->items[i]->when);
    }
}

static void the_earliest_timer_is_first_whatever_was_set_moved_or_removed(void **state)
{
    enum { COUNT = 200, STEPS = 20000 };
    struct pp_heap   heap = {0};
    struct pp_timer *timers = calloc(COUNT, sizeof *timers);
    (void)state;
    srand(7);
    assert_non_null(timers);
    assert_int_equal(pp_heap_reserve(&heap, COUNT), 0);
    for (int step = 0; step < STEPS; step++) {
        struct pp_timer *timer = &timers[rand() % COUNT];
        if (rand() % 3 == 0)
            pp_heap_remove(&heap, timer);
        else
            pp_heap_set(&heap, timer, rand() % 1000);
        check_heap(&heap);
    }
    int64_t before = -1;
    for (struct pp_timer *first = NULL; (first = pp_heap_first(&heap)) != NULL;) {
        assert_true(first->when >= before);
        before = first->when;
        pp_heap_remove(&heap, first);
        assert_int_equal(first->index, 0);
    }
    pp_heap_free(&heap);
    free(timers);
}

static void a_quantile_is_within_a_sixteenth_of_the_true_value(void **state)
{
    struct pp_histogram *histogram = calloc(1, sizeof *histogram);
    (void)state;
    assert_non_null(histogram);
    assert_int_equal(pp_histogram_quantile(histogram, 0.5), 0);
    for (int64_t value = 1; value <= 100000; value++)
        pp_histogram_add(histogram, value * 1000);
    int64_t half = pp_histogram_quantile(histogram, 0.5);
    int64_t most = pp_histogram_quantile(histogram, 0.99);
    assert_in_range(half, 50000000, 50000000 + 50000000 / 16 + 1000);
    assert_in_range(most, 99000000, 99000000 + 99000000 / 16 + 1000);
    free(histogram);
}

static void every_duration_has_a_bucket(void **state)
{
    struct pp_histogram *histogram = calloc(1, sizeof *histogram);
    (void)state;
    assert_non_null(histogram);
    pp_histogram_add(histogram, INT64_MIN); /* a clock that went backwards counts as nothing */
    assert_int_equal(pp_histogram_quantile(histogram, 1.0), 0);
    for (int shift = 0; shift < 63; shift++)
        pp_histogram_add(histogram, INT64_C(1) << shift);
    pp_histogram_add(histogram, INT64_MAX);
    assert_int_equal(pp_histogram_quantile(histogram, 1.0), INT64_MAX);
    free(histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_gives_its_links_in_order),
        cmocka_unit_test(removing_a_link_twice_does_nothing),
        cmocka_unit_test(the_earliest_timer_is_first_whatever_was_set_moved_or_removed),
        cmocka_unit_test(a_quantile_is_within_a_sixteenth_of_the_true_value),
        cmocka_unit_test(every_duration_has_a_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
