/*
 * map.c - one function over an array: each item is a row of a picture of the Mandelbrot set.
 *
 *     cc map.c $(pkg-config --cflags --libs procpool) && ./a.out
 */
#include <procpool.h>

#include <stdio.h>
#include <string.h>

enum { WIDTH = 64, HEIGHT = 24, DEPTH = 1000 };

struct row {
    double y;
};

struct picture_row {
    char text[WIDTH];
};

/* How many steps until it is known that the point does not belong to the set. */
static int steps(double x, double y)
{
    double a = 0, b = 0;
    int    n = 0;
    for (; n < DEPTH && a * a + b * b <= 4; n++) {
        double next = a * a - b * b + x;
        b = 2 * a * b + y;
        a = next;
    }
    return n;
}

static char shade(int n)
{
    return n == DEPTH ? '#' : n > 20 ? '+' : n > 8 ? ':' : n > 4 ? '.' : ' ';
}

/* One call for each item; how many travel together is the pool's affair. */
static int draw(pp_call *call)
{
    struct row         row;
    struct picture_row drawn;
    const void        *item = NULL;
    size_t             size = 0;
    int                error = pp_call_bytes(call, &item, &size);
    if (error < 0)
        return error;
    memcpy(&row, item, sizeof row);
    for (int i = 0; i < WIDTH; i++)
        drawn.text[i] = shade(steps(-2.2 + 3.0 * i / WIDTH, row.y));
    return pp_call_return_bytes(call, &drawn, sizeof drawn);
}

int main(void)
{
    struct row         rows[HEIGHT];
    struct picture_row picture[HEIGHT];
    size_t             failed = 0;
    pp_pool           *pool = NULL;
    for (int i = 0; i < HEIGHT; i++)
        rows[i].y = -1.2 + 2.4 * (i + 0.5) / HEIGHT;

    int error = pp_pool_create(&pool, NULL);
    if (error == 0)
        error = pp_pool_map(pool, PP_FUNCTION(draw), rows, sizeof *rows, HEIGHT, picture,
                            sizeof *picture, 0, &failed);
    if (error < 0)
        fprintf(stderr, "map: item %zu: %s\n", failed, strerror(-error));
    for (int i = 0; i < HEIGHT && error == 0; i++)
        printf("%.*s\n", WIDTH, picture[i].text);
    pp_pool_destroy(pool);
    return error < 0;
}
